//! The contexts that Envoy knows by number: plugins and their streams.
//!
//! Invariant: nothing here stays borrowed while a context runs, because Envoy may end a stream, or begin another, while
//! one of ours runs.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use ferrule_kit::Message;

use crate::wire::Action;

/// A plugin.
pub(crate) trait PluginContext {
    /// Its configuration has that many bytes; says whether it is accepted.
    fn configure(&self, size: usize) -> bool;

    /// Begins a stream; `None` without a configuration.
    fn open(&self, id: u32) -> Option<Rc<dyn StreamContext>>;
}

/// A stream of a plugin.
pub(crate) trait StreamContext {
    /// Does what a callback asks for.
    fn on(&self, callback: Callback) -> Action;
}

/// What Envoy tells a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Callback {
    /// A header section; `end` says that the message ends with it.
    Headers { message: Message, end: bool },
    /// A body of which `length` bytes are at hand; `end` says that the message ends with them.
    Data { message: Message, length: usize, end: bool },
    /// A trailer section.
    Trailers { message: Message },
    /// A callout's answer of that many fields and bytes.
    Reply { token: u32, fields: usize, length: usize },
    /// The stream is over and about to be logged.
    Over,
    /// The stream is no more.
    Gone,
}

/// Makes a plugin.
pub(crate) type NewPlugin = fn() -> Rc<dyn PluginContext>;

#[derive(Default)]
struct Registry {
    new_plugin: Option<NewPlugin>,
    plugins: BTreeMap<u32, Rc<dyn PluginContext>>,
    streams: BTreeMap<u32, Rc<dyn StreamContext>>,
    /// Streams by the tokens of the callouts that they wait for.
    callouts: BTreeMap<u32, u32>,
}

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::default();
}

/// Says how plugins are made.
pub(crate) fn install(new_plugin: NewPlugin) {
    REGISTRY.with_borrow_mut(|registry| registry.new_plugin = Some(new_plugin));
}

/// Makes the context `id`: a stream of the plugin `parent`, or a plugin where there is no such parent.
pub(crate) fn create(id: u32, parent: u32) {
    match REGISTRY.with_borrow(|registry| registry.plugins.get(&parent).cloned()) {
        Some(plugin) => {
            if let Some(stream) = plugin.open(id) {
                REGISTRY.with_borrow_mut(|registry| registry.streams.insert(id, stream));
            }
        }
        None => REGISTRY.with_borrow_mut(|registry| {
            if let Some(new_plugin) = registry.new_plugin {
                registry.plugins.insert(id, new_plugin());
            }
        }),
    }
}

/// The plugin `id`.
pub(crate) fn plugin(id: u32) -> Option<Rc<dyn PluginContext>> {
    REGISTRY.with_borrow(|registry| registry.plugins.get(&id).cloned())
}

/// The stream `id`.
pub(crate) fn stream(id: u32) -> Option<Rc<dyn StreamContext>> {
    REGISTRY.with_borrow(|registry| registry.streams.get(&id).cloned())
}

/// Forgets the context `id`, and gives it back where it was a stream.
pub(crate) fn remove(id: u32) -> Option<Rc<dyn StreamContext>> {
    REGISTRY.with_borrow_mut(|registry| {
        registry.plugins.remove(&id);
        registry.streams.remove(&id)
    })
}

/// Has the answer to the callout `token` go to the stream `id`.
pub(crate) fn await_reply(token: u32, id: u32) {
    REGISTRY.with_borrow_mut(|registry| registry.callouts.insert(token, id));
}

/// The stream that waits for the callout `token`, if it is still there.
pub(crate) fn awaiting(token: u32) -> Option<(u32, Rc<dyn StreamContext>)> {
    let id = REGISTRY.with_borrow_mut(|registry| registry.callouts.remove(&token))?;
    stream(id).map(|stream| (id, stream))
}
