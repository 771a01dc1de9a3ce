//! One filter on one stream as Envoy holds it: behind a thin pointer, so that a stream costs one allocation.
//!
//! Invariant: nothing here is ever borrowed mutably but the driver, and that through a [`RefCell`]. A hook that Envoy
//! calls while the driver is busy finds it borrowed and leaves it alone; a `destroy` then is put off until it is not.

use std::cell::{Cell, OnceCell, RefCell};
use std::ffi::c_void;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use ferrule_abi::{FilterPtr, ModuleStreamPtr};
use ferrule_kit::{Driver, Event, Filter, Level, Message, Ready, Response, Step};

use crate::answer::Answer;
use crate::config::{Listener, filter_of_route};
use crate::envoy;
use crate::host::NativeHost;
use crate::waking::Scheduler;

/// Which hook runs: decides what is at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hook {
    /// A headers hook.
    Headers(Message),
    /// A body hook.
    Data(Message),
    /// A trailers hook.
    Trailers(Message),
    /// The reply to a callout, when no message is passing.
    Reply,
    /// A hook at which no message can be touched.
    Other,
}

/// What Envoy was told of one message.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Course {
    /// This filter keeps it back, so that what Envoy has buffered of it is this filter's to read and edit.
    pub(crate) held: bool,
    /// All of it has arrived.
    pub(crate) ended: bool,
}

/// Asks a filter by [`Filter::quick`].
type Quick = unsafe fn(*const Head, FilterPtr, bool) -> Option<Box<dyn Ready>>;

/// The part of a stream that is the same for every filter.
#[repr(C)]
pub(crate) struct Head {
    on: unsafe fn(*const Head, FilterPtr, Hook, Event<'_>) -> Option<Step>,
    free: unsafe fn(*const Head) -> bool,
    quick: Option<Quick>,
    filter: FilterPtr,
    courses: [Cell<Course>; 2],
    done: Cell<bool>,
    doomed: Cell<bool>,
    /// The filter has left: everything passes.
    left: Cell<bool>,
    pub(crate) answer: Answer,
    /// What wakes the stream, once it was asked for.
    scheduler: OnceCell<Arc<Scheduler>>,
}

impl Head {
    pub(crate) fn course(&self, message: Message) -> Course {
        self.courses[place(message)].get()
    }

    /// What wakes this stream, made when first asked for.
    ///
    /// # Safety
    /// `filter` is Envoy's name for the stream, and alive.
    pub(crate) unsafe fn scheduler(&self, filter: FilterPtr) -> Option<Arc<Scheduler>> {
        if let Some(known) = self.scheduler.get() {
            return Some(Arc::clone(known));
        }
        // SAFETY: the caller vouches for the filter.
        let made = unsafe { Scheduler::of(envoy::callbacks()?, filter) }?;
        Some(Arc::clone(self.scheduler.get_or_init(|| made)))
    }

    /// The stream runs: it can be woken again.
    pub(crate) fn woke(&self) {
        if let Some(scheduler) = self.scheduler.get() {
            scheduler.came();
        }
    }

    /// Envoy has given the stream up while it was in use.
    pub(crate) fn is_doomed(&self) -> bool {
        self.doomed.get()
    }

    /// Envoy has told that the stream is over, or given it up.
    pub(crate) fn is_over(&self) -> bool {
        self.done.get() || self.doomed.get()
    }

    pub(crate) fn update(&self, message: Message, change: impl FnOnce(&mut Course)) {
        let mut course = self.course(message);
        change(&mut course);
        self.courses[place(message)].set(course);
    }
}

fn place(message: Message) -> usize {
    usize::from(message == Message::Response)
}

#[repr(C)]
struct Stream<F: Filter> {
    head: Head,
    listener: *const Listener<F>,
    /// None until the first event, because the route is not known earlier.
    driver: RefCell<Option<Driver<F, Configured<F>>>>,
}

/// Where a stream's filter is. Counting the streams of a listener's would have all workers write to one place.
enum Configured<F> {
    /// With the listener, which outlives the stream.
    Listener(*const F),
    /// With a route, which the stream may outlive: it can select another one.
    Route(Arc<F>),
}

impl<F> Deref for Configured<F> {
    type Target = F;

    fn deref(&self) -> &F {
        match self {
            // SAFETY: Envoy frees a listener's configuration after its streams.
            Self::Listener(filter) => unsafe { &**filter },
            Self::Route(filter) => filter,
        }
    }
}

/// Bytes of a stream.
pub(crate) const fn size<F: Filter>() -> usize {
    size_of::<Stream<F>>()
}

/// Makes a stream of a filter configured by `listener`.
///
/// # Safety
/// `listener` points to a `Listener<F>` that outlives the stream: Envoy frees a configuration after its streams.
pub(crate) unsafe fn open<F: Filter>(listener: *const c_void, filter: FilterPtr) -> ModuleStreamPtr {
    let head = Head {
        on: on::<F>,
        free: free::<F>,
        quick: if F::IS_QUICK { Some(quick::<F>) } else { None },
        filter,
        courses: [Cell::default(), Cell::default()],
        done: Cell::new(false),
        doomed: Cell::new(false),
        left: Cell::new(false),
        answer: Answer::default(),
        scheduler: OnceCell::new(),
    };
    let stream = Stream::<F> { head, listener: listener.cast(), driver: RefCell::new(None) };
    Box::into_raw(Box::new(stream)).cast_const().cast()
}

/// Whether the filter has left the stream, so that all that Envoy tells of it passes.
///
/// # Safety
/// As for [`tell`].
#[inline]
pub(crate) unsafe fn has_left(stream: ModuleStreamPtr) -> bool {
    // SAFETY: the caller vouches for the stream.
    unsafe { (*stream.cast::<Head>()).left.get() }
}

/// Whether the filter answers: what Envoy then tells of the response is that answer, and the request goes nowhere.
///
/// # Safety
/// As for [`tell`].
#[inline]
pub(crate) unsafe fn has_answered(stream: ModuleStreamPtr) -> bool {
    // SAFETY: the caller vouches for the stream.
    unsafe { (*stream.cast::<Head>()).answer.begun.get() }
}

/// The answer to a request that is at hand, of which the filter need remember nothing: it has left then.
///
/// # Safety
/// As for [`tell`].
#[inline]
pub(crate) unsafe fn ask(stream: ModuleStreamPtr, filter: FilterPtr, end: bool) -> Option<Box<dyn Ready>> {
    let head = stream.cast::<Head>();
    // SAFETY: the caller vouches for the stream.
    unsafe {
        let quick = (*head).quick?;
        let ready = catch_unwind(AssertUnwindSafe(|| quick(head, filter, end))).ok()??;
        (*head).left.set(true);
        Some(ready)
    }
}

/// Tells the stream's filter of an event; a filter that is busy lets it pass. `None`: the stream is gone.
///
/// # Safety
/// `stream` came from [`open`] and is not destroyed yet; `filter` is Envoy's name for it.
#[inline]
pub(crate) unsafe fn tell(
    stream: ModuleStreamPtr,
    filter: FilterPtr,
    hook: Hook,
    event: Event<'_>,
) -> Option<Step> {
    let head = stream.cast::<Head>();
    // SAFETY: the caller vouches for the stream; its memory stays until the driver has returned.
    let step = catch_unwind(AssertUnwindSafe(|| unsafe { ((*head).on)(head, filter, hook, event) }))
        .unwrap_or(Some(Step::Reset));
    // SAFETY: as above; only `destroy` frees it, and puts that off while the driver is busy.
    if unsafe { (*head).doomed.get() } {
        // SAFETY: Envoy has given the stream up, so no one else frees it.
        unsafe { destroy(stream) };
        return None;
    }
    step
}

/// Frees the stream, or has it freed once its driver has returned.
///
/// # Safety
/// As for [`tell`]; the stream is used no more.
pub(crate) unsafe fn destroy(stream: ModuleStreamPtr) {
    let head = stream.cast::<Head>();
    // SAFETY: the caller vouches for the stream, and Envoy's filter lives until this hook returns.
    unsafe {
        finish(stream, (*head).filter);
        if (*head).answer.is_sending() || !((*head).free)(head) {
            (*head).doomed.set(true);
        }
    }
}

/// Tells the filter once that its stream is over.
///
/// # Safety
/// As for [`tell`].
pub(crate) unsafe fn finish(stream: ModuleStreamPtr, filter: FilterPtr) {
    let head = stream.cast::<Head>();
    // SAFETY: the caller vouches for the stream.
    unsafe {
        if !(*head).left.get() && !(*head).doomed.get() && !(*head).done.replace(true) {
            let _ = ((*head).on)(head, filter, Hook::Other, Event::Done);
        }
    }
}

/// # Safety
/// `head` is that of a `Stream<F>` that is not freed yet; `filter` is Envoy's name for it.
unsafe fn on<F: Filter>(head: *const Head, filter: FilterPtr, hook: Hook, event: Event<'_>) -> Option<Step> {
    // SAFETY: the caller vouches for the stream, and its listener outlives it.
    let (stream, listener) = unsafe {
        let stream = &*head.cast::<Stream<F>>();
        (stream, &*stream.listener)
    };
    let Ok(mut driver) = stream.driver.try_borrow_mut() else { return Some(Step::Pass) };
    let mut host = NativeHost::new(filter, hook, &stream.head, &listener.means, F::NAME)?;
    if driver.is_none() {
        let Some(configured) = configured(listener, &host) else { return Some(misrouted::<F>(hook)) };
        *driver = Some(Driver::new(configured));
    }
    let driver = driver.as_mut()?;
    // SAFETY: the driver keeps its filter, and is not dropped while it is borrowed here.
    host.stat_prefix = unsafe { &*ptr::from_ref(driver.filter()) }.stat_prefix();
    let step = driver.on(event, &mut host);
    stream.head.left.set(driver.has_left());
    Some(step)
}

/// # Safety
/// As for [`on`].
unsafe fn quick<F: Filter>(head: *const Head, filter: FilterPtr, end: bool) -> Option<Box<dyn Ready>> {
    // SAFETY: the caller vouches for the stream, and its listener outlives it.
    let (stream, listener) = unsafe {
        let stream = &*head.cast::<Stream<F>>();
        (stream, &*stream.listener)
    };
    let hook = Hook::Headers(Message::Request);
    let mut host = NativeHost::new(filter, hook, &stream.head, &listener.means, F::NAME)?;
    let configured = configured(listener, &host)?;
    host.stat_prefix = configured.stat_prefix();
    configured.quick(&mut host, end)
}

/// The most specific configuration: the route's, else the listener's. `None` where the route's is another filter's.
fn configured<F: Filter>(listener: &Listener<F>, host: &NativeHost<'_>) -> Option<Configured<F>> {
    match host.route_config() {
        route if route.is_null() => Some(Configured::Listener(&raw const listener.filter)),
        // SAFETY: Envoy gives back what `per_route_config_new` gave it, and keeps it while the route is in use.
        route => unsafe { filter_of_route::<F>(route) }.map(Configured::Route),
    }
}

fn misrouted<F: Filter>(hook: Hook) -> Step {
    if matches!(hook, Hook::Reply | Hook::Other) {
        return Step::Pass;
    }
    let text = "the route's configuration belongs to a filter of another name";
    envoy::log(Level::Error, F::NAME, text);
    Step::Respond(Response::text(500, format!("{}_filter_misrouted", F::NAME), ""))
}

/// Frees a stream whose driver is not busy, and says whether it was not.
///
/// # Safety
/// As for [`on`]; where true comes back, the stream is used no more.
unsafe fn free<F: Filter>(head: *const Head) -> bool {
    let stream = head.cast_mut().cast::<Stream<F>>();
    // SAFETY: the caller vouches for the stream.
    if unsafe { &*stream }.driver.try_borrow_mut().is_err() {
        return false;
    }
    // SAFETY: made by `open` from a box, and freed here only.
    let _ = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(stream) })));
    true
}
