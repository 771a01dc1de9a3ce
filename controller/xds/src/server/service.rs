//! The gRPC method, as `tonic-build` would write it, over our own messages.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, BoxFuture, Service, StdError};
use tonic::server::{Grpc, NamedService, StreamingService};
use tonic::{Request, Response, Status, Streaming};
use tonic_prost::ProstCodec;

use super::line::Party;
use super::{REPORTS, Shared, report, stream};
use crate::event::count;
use crate::wire::{DeltaDiscoveryRequest, DeltaDiscoveryResponse};

/// `/envoy.service.discovery.v3.AggregatedDiscoveryService`.
#[derive(Clone)]
pub(super) struct AggregatedDiscovery {
    pub(super) shared: Arc<Shared>,
    /// Turns true when the streams are to be ended.
    pub(super) stop: watch::Receiver<bool>,
}

const METHOD: &str = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";

impl NamedService for AggregatedDiscovery {
    const NAME: &'static str = "envoy.service.discovery.v3.AggregatedDiscoveryService";
}

impl<B> Service<http::Request<B>> for AggregatedDiscovery
where
    B: HttpBody + Send + 'static,
    B::Error: Into<StdError> + Send + 'static,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<B>) -> Self::Future {
        let service = self.clone();
        Box::pin(async move {
            if request.uri().path() == REPORTS {
                return Ok(report::take(&service.shared, request).await);
            }
            if request.uri().path() != METHOD {
                return Ok(Status::unimplemented("only DeltaAggregatedResources is served").into_http());
            }
            let limit = service.shared.options.request_bytes;
            let mut grpc = Grpc::new(ProstCodec::default()).max_decoding_message_size(limit);
            Ok(grpc.streaming(service, request).await)
        })
    }
}

impl StreamingService<DeltaDiscoveryRequest> for AggregatedDiscovery {
    type Response = DeltaDiscoveryResponse;
    type ResponseStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;
    type Future = BoxFuture<Response<Self::ResponseStream>, Status>;

    fn call(&mut self, request: Request<Streaming<DeltaDiscoveryRequest>>) -> Self::Future {
        let party = request.extensions().get::<Party>().cloned().unwrap_or_default();
        let accepted = self.accept(request.into_inner(), party);
        Box::pin(async move { accepted })
    }
}

impl AggregatedDiscovery {
    fn accept(
        &self,
        requests: Streaming<DeltaDiscoveryRequest>,
        party: Party,
    ) -> Result<Response<<Self as StreamingService<DeltaDiscoveryRequest>>::ResponseStream>, Status> {
        let Ok(permit) = self.shared.streams.clone().try_acquire_owned() else {
            count(&self.shared.counters.rejected_streams, 1);
            return Err(Status::resource_exhausted("too many streams"));
        };
        // One response in the channel and one in the transport is all that a slow proxy can make us keep.
        let (responses, receiver) = mpsc::channel(1);
        let ends = stream::Ends { requests, responses, stop: self.stop.clone(), party };
        let shared = self.shared.clone();
        tokio::spawn(async move {
            stream::run(shared, ends).await;
            drop(permit);
        });
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}
