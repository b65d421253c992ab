//! A cache that keeps what somebody still holds.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Weak};

#[derive(Debug)]
pub(super) struct Kept<K, V>(HashMap<K, Weak<V>>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V> Kept<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.0.get(key)?.upgrade()
    }

    pub(super) fn keep(&mut self, key: K, value: V) -> Arc<V> {
        let value = Arc::new(value);
        self.0.insert(key, Arc::downgrade(&value));
        value
    }

    /// Forgets what nobody holds any more.
    pub(super) fn forget(&mut self) {
        self.0.retain(|_, value| value.strong_count() > 0);
    }
}
