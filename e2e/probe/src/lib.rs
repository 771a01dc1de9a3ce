//! A filter that does what its configuration says, to test what hosts do with what filters ask for.
//!
//! Invariant: it has no behaviour of its own but to write down what it was told (see [`Action::Transcript`]).

mod action;
mod config;

pub use config::{
    Action, Call, Config, Datum, Enclosure, Events, Field, Keep, Lookup, Name, Section, Setting, Status, Text,
};

use ferrule_kit::{CalloutError, CalloutId, ConfigError, Filter, Flow, Host, Message, Reply, SecretSource};

use crate::action::{Scene, play};

// With what a listener of ours needs of any module, so that a proxy of ours can run on this one.
#[cfg(not(target_family = "wasm"))]
ferrule_module::export!(Probe, ferrule_scope::Scope);
#[cfg(not(target_family = "wasm"))]
ferrule_module::export_early!(ferrule_scope::ScopeKey);
#[cfg(target_family = "wasm")]
ferrule_wasm::export!(Probe);

/// The filter.
#[derive(Debug)]
pub struct Probe {
    config: Config,
}

/// What the probe remembers of one stream.
#[derive(Debug, Default)]
pub struct Memory {
    transcript: Vec<String>,
    replies: usize,
}

impl Probe {
    fn events(&self, message: Message) -> &Events {
        match message {
            Message::Request => &self.config.request,
            Message::Response => &self.config.response,
        }
    }
}

impl Filter for Probe {
    const NAME: &'static str = "probe";
    const COUNTERS: &'static [&'static str] = &["counted", "done"];
    const HISTOGRAMS: &'static [&'static str] = &["recorded"];

    type Config = Config;
    type Stream = Memory;

    fn compile(config: Config) -> Result<Self, ConfigError> {
        match config.refuse.as_deref() {
            Some(reason) => Err(ConfigError::new("refuse", reason)),
            None => Ok(Self { config }),
        }
    }

    fn stat_prefix(&self) -> Option<&str> {
        self.config.stat_prefix.as_deref()
    }

    fn secrets(&self) -> Vec<SecretSource> {
        let sources = self.config.secrets.clone().into_iter();
        sources.map(|(name, config_source)| SecretSource { name, config_source }).collect()
    }

    fn on_headers(&self, memory: &mut Memory, host: &mut dyn Host, message: Message, end: bool) -> Flow {
        memory.note(message, "headers", end);
        let events = self.events(message);
        match play(&events.headers, &mut Scene { message, memory, host }) {
            Flow::Continue if events.body.is_some() => Flow::AwaitBody,
            flow => flow,
        }
    }

    fn on_body(&self, memory: &mut Memory, host: &mut dyn Host, message: Message) -> Flow {
        let length = host.body_len(message);
        memory.note(message, &format!("body:{length}"), false);
        let actions = self.events(message).body.as_deref().unwrap_or_default();
        play(actions, &mut Scene { message, memory, host })
    }

    fn on_data(&self, memory: &mut Memory, host: &mut dyn Host, message: Message, end: bool) -> Flow {
        let length = host.body_len(message);
        memory.note(message, &format!("data:{length}"), end);
        play(&self.events(message).data, &mut Scene { message, memory, host })
    }

    fn on_trailers(&self, memory: &mut Memory, host: &mut dyn Host, message: Message) -> Flow {
        memory.note(message, "trailers", false);
        play(&self.events(message).trailers, &mut Scene { message, memory, host })
    }

    fn on_reply(
        &self,
        memory: &mut Memory,
        host: &mut dyn Host,
        _: CalloutId,
        reply: Result<Reply<'_>, CalloutError>,
    ) -> Flow {
        let status = action::status_of(&reply);
        memory
            .transcript
            .push(format!("reply:{}", status.map_or("failed".to_owned(), |code| code.to_string())));
        memory.replies += 1;
        let message = self.config.held();
        match self.config.replies.get(memory.replies - 1) {
            Some(actions) => play(actions, &mut Scene { message, memory, host }),
            None => action::verdict(status),
        }
    }

    fn on_local_reply(&self, memory: &mut Memory, host: &mut dyn Host, status: u16, details: &str) {
        memory.transcript.push(format!("local-reply:{status}:{details}"));
        play(&self.config.local_reply, &mut Scene { message: Message::Response, memory, host });
    }

    fn on_done(&self, memory: &mut Memory, host: &mut dyn Host) {
        host.count(config::DONE, 1);
        play(&self.config.done, &mut Scene { message: Message::Response, memory, host });
    }
}

impl Memory {
    fn note(&mut self, message: Message, what: &str, end: bool) {
        let side = if message == Message::Request { "request" } else { "response" };
        let end = if end { ":end" } else { "" };
        self.transcript.push(format!("{side}-{what}{end}"));
    }
}
