//! [`Host`] over the ABI, for the length of one hook.
//!
//! Bytes are lent as Envoy lends them: until the next edit, which takes `&mut self`, and at most until the hook ends,
//! which the lifetime of the host stands for.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ferrule_abi::{
    Callbacks, CalloutInit, EnvoyBuffer, FilterPtr, HeaderType, HttpHeader, ModuleBuffer, ModuleRoutePtr,
};
use ferrule_kit::{
    Callout, CalloutError, CalloutId, Counter, Errand, Fields, Histogram, Host, Level, Message,
    MetadataSource, Octets, RequestHead, Value, Waker, environment, field_value,
};

use crate::config::{Means, routes_exist};
use crate::stream::{Head, Hook};
use crate::{alarm, attributes, envoy, metadata};

/// One stream as Envoy shows it in one hook.
pub(crate) struct NativeHost<'a> {
    pub(crate) envoy: &'static Callbacks,
    /// Envoy's name for the stream's filter; alive while the hook runs.
    pub(crate) filter: FilterPtr,
    pub(crate) hook: Hook,
    pub(crate) head: &'a Head,
    /// See [`ferrule_kit::Filter::stat_prefix`].
    pub(crate) stat_prefix: Option<&'a str>,
    /// The message whose body was taken out in this hook, which leaves it a place for another.
    pub(crate) taken: Option<Message>,
    means: &'a Means,
    name: &'static str,
}

impl<'a> NativeHost<'a> {
    /// `None` where Envoy's callbacks are not known, so in no Envoy.
    #[inline]
    pub(crate) fn new(
        filter: FilterPtr,
        hook: Hook,
        head: &'a Head,
        means: &'a Means,
        name: &'static str,
    ) -> Option<Self> {
        let envoy = envoy::callbacks()?;
        Some(Self { envoy, filter, hook, head, stat_prefix: None, taken: None, means, name })
    }

    /// The configuration nearest to the route; null for none.
    pub(crate) fn route_config(&self) -> ModuleRoutePtr {
        if !routes_exist() {
            return std::ptr::null();
        }
        // SAFETY: the filter is alive while the hook runs.
        unsafe { (self.envoy.get_most_specific_route_config)(self.filter) }
    }

    /// The `index`th value of a field, and how many there are.
    fn value(&self, fields: Fields, name: &str, index: usize) -> (Option<&[u8]>, usize) {
        let (mut value, mut total) = (EnvoyBuffer::EMPTY, 0);
        let out = (&raw mut value, &raw mut total);
        // SAFETY: filter and name are alive, the out-parameters are ours, and Envoy lends the value until the next edit.
        unsafe {
            let found =
                (self.envoy.http_get_header)(self.filter, section(fields), name.into(), out.0, index, out.1);
            (found.then(|| value.bytes()), total)
        }
    }

    fn set(&mut self, fields: Fields, name: &str, value: ModuleBuffer) {
        // SAFETY: the filter is alive; name and value outlive the call.
        unsafe { (self.envoy.http_set_header)(self.filter, section(fields), name.into(), value) };
    }
}

fn section(fields: Fields) -> HeaderType {
    match fields {
        Fields::RequestHeaders => HeaderType::Request,
        Fields::RequestTrailers => HeaderType::RequestTrailer,
        Fields::ResponseHeaders => HeaderType::Response,
        Fields::ResponseTrailers => HeaderType::ResponseTrailer,
    }
}

impl Host for NativeHost<'_> {
    fn field(&self, fields: Fields, name: &str) -> Option<Octets<'_>> {
        self.value(fields, name, 0).0.map(Into::into)
    }

    fn field_values(&self, fields: Fields, name: &str) -> Vec<Octets<'_>> {
        let (first, total) = self.value(fields, name, 0);
        let rest = (1..total).filter_map(|index| self.value(fields, name, index).0);
        first.into_iter().chain(rest).map(Into::into).collect()
    }

    fn field_lines(&self, fields: Fields) -> Vec<(Octets<'_>, Octets<'_>)> {
        // SAFETY: the filter is alive, the array has room for all lines, and Envoy lends them until the next edit.
        unsafe {
            let count = (self.envoy.http_get_headers_size)(self.filter, section(fields));
            let mut lines = vec![HttpHeader::EMPTY; count];
            if !(self.envoy.http_get_headers)(self.filter, section(fields), lines.as_mut_ptr()) {
                return Vec::new();
            }
            lines.into_iter().map(|line| line.parts()).map(|(n, v)| (n.into(), v.into())).collect()
        }
    }

    fn each_field<'a>(&'a self, fields: Fields, each: &mut dyn FnMut(&'a [u8], &'a [u8])) -> bool {
        // SAFETY: as in `field_lines`; Envoy has written all lines where it says so.
        unsafe {
            let count = (self.envoy.http_get_headers_size)(self.filter, section(fields));
            let mut lines: Vec<HttpHeader> = Vec::with_capacity(count);
            if !(self.envoy.http_get_headers)(self.filter, section(fields), lines.as_mut_ptr()) {
                return false;
            }
            lines.set_len(count);
            for line in lines {
                let (name, value) = line.parts();
                each(name, value);
            }
        }
        true
    }

    fn has_trailers(&self, message: Message) -> bool {
        // SAFETY: the filter is alive while the hook runs.
        unsafe { (self.envoy.http_get_headers_size)(self.filter, section(message.trailers())) > 0 }
    }

    fn set_field(&mut self, fields: Fields, name: &str, value: &[u8]) {
        // Envoy, too, takes a null value for the wish to remove; an empty one it did not always.
        let value = field_value(value);
        self.set(fields, name, if value.is_empty() { ModuleBuffer::NULL } else { (&*value).into() });
    }

    fn add_field(&mut self, fields: Fields, name: &str, value: &[u8]) {
        let value = field_value(value);
        // SAFETY: the filter is alive; name and value outlive the call.
        unsafe { (self.envoy.http_add_header)(self.filter, section(fields), name.into(), (&*value).into()) };
    }

    fn remove_field(&mut self, fields: Fields, name: &str) {
        self.set(fields, name, ModuleBuffer::NULL);
    }

    fn body_len(&self, message: Message) -> usize {
        self.bytes_at_hand(message)
    }

    fn body(&self, message: Message) -> Vec<Octets<'_>> {
        self.chunks_at_hand(message).into_iter().map(Into::into).collect()
    }

    fn put_body(&mut self, message: Message, chunks: &[&[u8]]) {
        self.put_chunks(message, chunks);
    }

    fn take_body(&mut self, message: Message) -> Vec<u8> {
        self.take_chunks(message)
    }

    fn buffer_limit(&self) -> usize {
        // SAFETY: the filter is alive while the hook runs.
        match unsafe { (self.envoy.http_get_buffer_limit)(self.filter) } {
            0 => usize::MAX,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        }
    }

    fn attribute(&self, name: &str) -> Option<Value<'_>> {
        attributes::read(self, name)
    }

    fn metadata(&self, source: MetadataSource, namespace: &str, key: &str) -> Option<Value<'_>> {
        metadata::read(self, source, namespace, key)
    }

    fn set_metadata(&mut self, namespace: &str, key: &str, value: &Value<'_>) {
        metadata::write(self, namespace, key, value);
    }

    fn set_span_name(&mut self, name: &str) {
        // SAFETY: the filter is alive, and so is its span while the hook runs; the name outlives the call.
        unsafe {
            let span = (self.envoy.http_get_active_span)(self.filter);
            if !span.is_null() {
                (self.envoy.http_span_set_operation)(span, name.into());
            }
        }
    }

    fn clear_route_cache(&mut self) {
        crate::early::edit_again(&mut RequestOf(self));
        // SAFETY: the filter is alive while the hook runs.
        unsafe { (self.envoy.http_clear_route_cache)(self.filter) };
    }

    fn secret(&self, name: &str) -> Option<Octets<'_>> {
        // SAFETY: the filter is alive while the hook runs, and the host no longer.
        unsafe { self.means.secrets.read(self.filter, name) }.map(Into::into)
    }

    fn env(&self, name: &str) -> Option<String> {
        environment::lookup(name)
    }

    fn callout(&mut self, callout: Callout) -> Result<CalloutId, CalloutError> {
        let lines = callout.fields.iter().map(|(name, value)| HttpHeader::new(name, value));
        let mut lines: Vec<_> = lines.collect();
        let mut id = 0;
        // SAFETY: the filter is alive; lines and buffers outlive the call, and the out-parameter is ours.
        let begun = unsafe {
            (self.envoy.http_filter_http_callout)(
                self.filter,
                &raw mut id,
                callout.cluster.as_str().into(),
                lines.as_mut_ptr(),
                lines.len(),
                callout.body.as_slice().into(),
                milliseconds(callout.timeout),
            )
        };
        match begun {
            CalloutInit::SUCCESS => Ok(CalloutId(id)),
            CalloutInit::MISSING_REQUIRED_HEADERS => Err(CalloutError::MissingFields),
            CalloutInit::CLUSTER_NOT_FOUND => Err(CalloutError::UnknownCluster),
            _ => Err(CalloutError::Refused),
        }
    }

    fn waker(&mut self) -> Option<Waker> {
        // SAFETY: the filter is alive while the hook runs.
        unsafe { self.head.scheduler(self.filter) }.map(|scheduler| Waker(scheduler))
    }

    fn wake_after(&mut self, time: Duration) {
        // SAFETY: the filter is alive while the hook runs.
        if let Some(scheduler) = unsafe { self.head.scheduler(self.filter) } {
            alarm::set(Arc::downgrade(&scheduler), time);
        }
    }

    fn runs_errands(&self) -> bool {
        self.means.errands.run()
    }

    fn send_off(&mut self, request: Callout, errand: Box<dyn Errand>) {
        self.means.errands.send_off(request, errand);
    }

    fn count(&mut self, counter: Counter, by: u64) {
        // SAFETY: the filter is alive while the hook runs.
        unsafe { self.means.metrics.count(self.filter, self.stat_prefix, counter, by) };
    }

    fn record(&mut self, histogram: Histogram, value: u64) {
        // SAFETY: the filter is alive while the hook runs.
        unsafe { self.means.metrics.record(self.filter, self.stat_prefix, histogram, value) };
    }

    fn log(&self, level: Level, line: &str) {
        envoy::log(level, self.name, line);
    }

    fn now(&self) -> SystemTime {
        SystemTime::now()
    }

    fn random(&self) -> u128 {
        let mut bytes = [0; 16];
        match getrandom::fill(&mut bytes) {
            Ok(()) => u128::from_ne_bytes(bytes),
            // The standard library keys each state from the system too, but before the system could fail.
            Err(_) => {
                let half = || u128::from(RandomState::new().hash_one(SystemTime::now()));
                half() << 64 | half()
            }
        }
    }
}

/// Envoy takes 0 for no timeout at all, which no callout asks for.
pub(crate) fn milliseconds(timeout: Duration) -> u64 {
    u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1)
}

/// The request's header section of a stream that has filters.
struct RequestOf<'h, 'e>(&'h mut NativeHost<'e>);

impl RequestHead for RequestOf<'_, '_> {
    fn field(&self, name: &str) -> Option<Octets<'_>> {
        self.0.field(Fields::RequestHeaders, name)
    }

    fn set_field(&mut self, name: &str, value: &[u8]) {
        self.0.set_field(Fields::RequestHeaders, name, value);
    }
}
