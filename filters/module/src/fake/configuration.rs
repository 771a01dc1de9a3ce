//! What a configuration gets from the fake Envoy: metrics and secrets.

use ferrule_abi::*;

use super::{bytes, fake, give, lend, text};

pub(super) unsafe extern "C" fn define(
    _: ConfigPtr,
    name: ModuleBuffer,
    labels: *mut ModuleBuffer,
    count: usize,
    id: *mut usize,
) -> MetricsResult {
    // SAFETY: the adapter lends as many names as it says.
    let labels: String = unsafe { labelled(labels, count) };
    let place = fake(|fake| {
        fake.metrics.push((format!("{}{labels}", text(name)), Vec::new()));
        fake.metrics.len() - 1
    });
    // SAFETY: the out-parameter is the adapter's.
    unsafe { give(id, Some(place)) };
    MetricsResult::SUCCESS
}
pub(super) unsafe extern "C" fn add(
    _: FilterPtr,
    id: usize,
    labels: *mut ModuleBuffer,
    count: usize,
    value: u64,
) -> MetricsResult {
    // SAFETY: the adapter lends as many values as it says.
    let labels = unsafe { labelled(labels, count) };
    fake(|fake| fake.metrics[id].1.push((labels, value)));
    MetricsResult::SUCCESS
}

/// # Safety
/// `labels` points to `count` buffers.
unsafe fn labelled(labels: *mut ModuleBuffer, count: usize) -> String {
    // SAFETY: the caller vouches for it.
    (0..count).map(|index| format!("{{{}}}", text(unsafe { *labels.add(index) }))).collect()
}
pub(super) unsafe extern "C" fn subscribe(_: ConfigPtr, name: ModuleBuffer, source: ModuleBuffer) -> usize {
    fake(|fake| {
        if bytes(name) == b"unheard" {
            return 0;
        }
        fake.secrets.push((text(name), text(source)));
        fake.secrets.len()
    })
}
pub(super) unsafe extern "C" fn secret(_: FilterPtr, id: usize, value: *mut EnvoyBuffer) -> bool {
    let secret = fake(|fake| fake.secrets.get(id - 1).map(|(name, _)| lend(name.as_bytes())));
    // SAFETY: the out-parameter is the adapter's; a secret of the fake is its own name, or has not come.
    unsafe { give(value, secret.map(|name| if name.bytes() == b"late" { EnvoyBuffer::EMPTY } else { name })) }
}
