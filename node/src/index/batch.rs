//! Changes of keys that are made together.

/// Changes that are made together: all bytes in one buffer, as a batch has many small ones.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    changes: Vec<Change>,
}

/// Where a change lies in the buffer: key, then value.
#[derive(Clone, Copy)]
struct Change {
    at: usize,
    key: u32,
    /// `None` removes the key.
    value: Option<u32>,
}

impl Batch {
    pub(super) fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.change(key.as_ref(), Some(value.as_ref()));
    }

    pub(super) fn remove(&mut self, key: impl AsRef<[u8]>) {
        self.change(key.as_ref(), None);
    }

    fn change(&mut self, key: &[u8], value: Option<&[u8]>) {
        let length = |bytes: &[u8]| bytes.len() as u32; // far below the limit of an engine
        let (at, value_length) = (self.bytes.len(), value.map(length));
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.changes.push(Change { at, key: length(key), value: value_length });
    }

    fn key_of(&self, change: &Change) -> &[u8] {
        &self.bytes[change.at..][..change.key as usize]
    }

    /// The changes of the keys that `chosen` takes, in the same order.
    pub(super) fn only(&self, chosen: impl Fn(&[u8]) -> bool) -> Batch {
        let mut changes = Batch::default();
        let taken = self.iter().filter(|(key, _)| chosen(key));
        taken.for_each(|(key, value)| changes.change(key, value));
        changes
    }

    /// Keys with their new values, sorted: neighbours are then neighbours in memory. Of one key the
    /// change that was made last comes last.
    pub(super) fn into_sorted(mut self) -> Self {
        let mut changes = std::mem::take(&mut self.changes);
        changes.sort_by(|a, b| self.key_of(a).cmp(self.key_of(b)));
        Batch { changes, ..self }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
        self.changes.iter().map(|change| {
            let value = change.value.map(|length| {
                let at = change.at + change.key as usize;
                &self.bytes[at..at + length as usize]
            });
            (self.key_of(change), value)
        })
    }

    /// Number of changes.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether there is nothing to change.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}
