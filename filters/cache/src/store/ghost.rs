//! Which objects were evicted lately without having been asked for twice (S3-FIFO's ghost queue): a table of fingerprints where a
//! newer one takes the place of an older one, four bytes an object.

/// The memory of evictions.
#[derive(Debug, Default)]
pub(super) struct Ghost {
    prints: Box<[u32]>,
}

impl Ghost {
    /// Makes room for about as many as there are objects. What was remembered is forgotten when the room grows.
    pub(super) fn fit(&mut self, objects: usize) {
        let wanted = objects.next_power_of_two().max(64);
        if wanted > self.prints.len() {
            self.prints = vec![0; wanted].into_boxed_slice();
        }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of_val(&*self.prints)
    }

    pub(super) fn add(&mut self, hash: u64) {
        if let Some(place) = self.place(hash) {
            self.prints[place] = print(hash);
        }
    }

    /// Whether it was evicted lately; asked once, it is forgotten.
    pub(super) fn take(&mut self, hash: u64) -> bool {
        let Some(place) = self.place(hash) else { return false };
        let known = self.prints[place] == print(hash);
        if known {
            self.prints[place] = 0;
        }
        known
    }

    fn place(&self, hash: u64) -> Option<usize> {
        let mask = self.prints.len().checked_sub(1)?;
        Some(usize::try_from(hash & 0xffff_ffff).unwrap_or(0) & mask)
    }
}

fn print(hash: u64) -> u32 {
    ((hash >> 32) as u32) | 1
}
