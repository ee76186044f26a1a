//! A map with a bounded number of entries, each of which expires.

use std::borrow::Borrow;
use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::time::SystemTime;

/// The largest number of entries. Most assertions expire within an hour, so this covers two or three per second, in a
/// few megabytes of memory.
pub(super) const MAX_ENTRIES: usize = 10_000;

/// The sort key for removing entries: the time of expiry, then the order of insertion.
///
/// An entry without an expiry time comes last.
type Position = (bool, Option<SystemTime>, u64);

/// A map that forgets expired entries, and the entry that expires first when it is full.
pub(super) struct ExpiringMap<K, V> {
    entries: HashMap<K, (Position, V)>,
    order: BTreeMap<Position, K>,
    inserted: u64,
}

impl<K: Clone + Eq + Hash, V> ExpiringMap<K, V> {
    pub(super) fn new() -> Self {
        Self {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            inserted: 0,
        }
    }

    /// Inserts an entry that is forgotten at `expires_at`, if given. Returns false and changes nothing if `key` already
    /// has an entry.
    pub(super) fn insert(
        &mut self,
        key: K,
        value: V,
        expires_at: Option<SystemTime>,
        now: SystemTime,
    ) -> bool {
        self.remove_expired(now);
        if self.entries.contains_key(&key) {
            return false;
        }
        if self.entries.len() >= MAX_ENTRIES {
            self.remove_first();
        }
        let position = (expires_at.is_none(), expires_at, self.inserted);
        self.inserted = self.inserted.saturating_add(1);
        self.order.insert(position, key.clone());
        self.entries.insert(key, (position, value));
        true
    }

    pub(super) fn get<Q>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.entries.get(key).map(|(_, value)| value)
    }

    fn remove_expired(&mut self, now: SystemTime) {
        let is_expired = |(_, expires_at, _): &Position| expires_at.is_some_and(|at| at <= now);
        while self.order.keys().next().is_some_and(is_expired) {
            self.remove_first();
        }
    }

    fn remove_first(&mut self) {
        if let Some((_, key)) = self.order.pop_first() {
            self.entries.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn after(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn expiring_map_keeps_an_entry_until_it_expires() {
        let mut map = ExpiringMap::new();
        assert!(map.insert("a", 1, Some(after(10)), after(0)));
        assert!(!map.insert("a", 2, Some(after(99)), after(9)));
        assert_eq!(map.get("a"), Some(&1));
        assert!(map.insert("a", 3, Some(after(20)), after(10)));
        assert_eq!(map.get("a"), Some(&3));
        assert_eq!((map.entries.len(), map.order.len()), (1, 1));
    }

    #[test]
    fn expiring_map_forgets_every_expired_entry_and_no_other() {
        let mut map = ExpiringMap::new();
        map.insert(0, (), None, after(0));
        for n in 1..=100 {
            map.insert(n, (), Some(after(200 - n)), after(0));
        }
        map.insert(101, (), Some(after(300)), after(150));
        assert_eq!((map.entries.len(), map.order.len()), (51, 51));
        assert!(map.get(&0).is_some() && map.get(&49).is_some() && map.get(&50).is_none());
    }

    #[test]
    fn full_expiring_map_forgets_the_entry_that_expires_first() {
        let mut map = ExpiringMap::new();
        map.insert("forever".to_owned(), (), None, after(0));
        map.insert("second".to_owned(), (), Some(after(2)), after(0));
        map.insert("first".to_owned(), (), Some(after(1)), after(0));
        for n in 0..MAX_ENTRIES - 2 {
            map.insert(n.to_string(), (), Some(after(100)), after(0));
        }
        assert_eq!(map.entries.len(), MAX_ENTRIES);
        assert!(map.get("first").is_none());
        assert!(map.get("second").is_some() && map.get("forever").is_some());
        for n in 0..MAX_ENTRIES {
            map.insert(format!("again {n}"), (), None, after(0));
        }
        assert_eq!(
            (map.entries.len(), map.order.len()),
            (MAX_ENTRIES, MAX_ENTRIES)
        );
        assert!(map.get("forever").is_none());
    }
}
