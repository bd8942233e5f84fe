//! Remembers tokens whose signature was checked, by the hash of their bytes.
//!
//! Enters: a hash and a way to check the token. Leaves: what the check gave, checked
//! once however many ask at the same moment. Bounded; refusals are not remembered.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// SHA-256 of a token's bytes.
pub type TokenHash = [u8; 32];

const SHARDS: usize = 16;

type Shard<T, E> = HashMap<TokenHash, Arc<Slot<T, E>>>;

/// A bounded map from the hash of a thing to the thing, filled by one check each.
pub struct Cache<T, E> {
    shards: [Mutex<Shard<T, E>>; SHARDS],
    capacity: usize,
    tick: AtomicU64,
}

struct Slot<T, E> {
    outcome: OnceLock<Result<Arc<T>, E>>,
    used: AtomicU64,
}

impl<T, E: Clone> Cache<T, E> {
    /// A cache that holds about `capacity` things.
    pub fn new(capacity: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(HashMap::new())),
            capacity: capacity.div_ceil(SHARDS).max(1),
            tick: AtomicU64::new(0),
        }
    }

    /// What `check` gave for `hash`, now or earlier. Callers that come while another checks wait
    /// for that one's outcome. A refusal reaches those waiting and is then forgotten.
    pub fn once(&self, hash: TokenHash, check: impl FnOnce() -> Result<T, E>) -> Result<Arc<T>, E> {
        let slot = self.slot(hash);
        let outcome = slot.outcome.get_or_init(|| check().map(Arc::new)).clone();
        if outcome.is_err() {
            self.forget_slot(&hash, &slot);
        }
        outcome
    }

    /// Forgets `it` if it still stands under `hash`.
    pub fn forget(&self, hash: &TokenHash, it: &Arc<T>) {
        let mut shard = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        let stands = shard.get(hash).and_then(|slot| slot.outcome.get());
        if matches!(stands, Some(Ok(stands)) if Arc::ptr_eq(stands, it)) {
            shard.remove(hash);
        }
    }

    fn slot(&self, hash: TokenHash) -> Arc<Slot<T, E>> {
        let tick = self.tick.fetch_add(1, Ordering::Relaxed);
        let mut shard = self.shard(&hash).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = shard.get(&hash) {
            slot.used.store(tick, Ordering::Relaxed);
            return Arc::clone(slot);
        }
        if shard.len() >= self.capacity {
            drop_older_half(&mut shard);
        }
        let slot = Arc::new(Slot { outcome: OnceLock::new(), used: AtomicU64::new(tick) });
        shard.insert(hash, Arc::clone(&slot));
        slot
    }

    fn forget_slot(&self, hash: &TokenHash, slot: &Arc<Slot<T, E>>) {
        let mut shard = self.shard(hash).lock().unwrap_or_else(PoisonError::into_inner);
        if shard.get(hash).is_some_and(|stands| Arc::ptr_eq(stands, slot)) {
            shard.remove(hash);
        }
    }

    fn shard(&self, hash: &TokenHash) -> &Mutex<Shard<T, E>> {
        &self.shards[usize::from(hash[0]) % SHARDS]
    }
}

/// Halving keeps insertion cheap on average and needs no list of uses.
fn drop_older_half<T, E>(shard: &mut Shard<T, E>) {
    let mut uses: Vec<u64> = shard.values().map(|slot| slot.used.load(Ordering::Relaxed)).collect();
    let middle = uses.len() / 2;
    let (_, &mut median, _) = uses.select_nth_unstable(middle);
    shard.retain(|_, slot| slot.used.load(Ordering::Relaxed) > median);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_bounded_and_keeps_what_is_used() {
        let cache: Cache<u32, ()> = Cache::new(16 * 8);
        let hash = |i: u32| {
            let mut hash = [0; 32];
            hash[1..5].copy_from_slice(&i.to_be_bytes());
            hash
        };
        let mut checks = 0;
        for i in 0..1000 {
            cache.once(hash(i), || Ok(i)).unwrap();
            cache
                .once(hash(0), || {
                    checks += 1;
                    Ok(0)
                })
                .unwrap();
        }
        assert_eq!(checks, 0, "the one in constant use was never dropped");
        assert!(cache.shards[0].lock().unwrap().len() <= 8);
    }

    #[test]
    fn a_refusal_is_not_remembered() {
        let cache: Cache<u32, &str> = Cache::new(16);
        assert_eq!(cache.once([1; 32], || Err("no")), Err("no"));
        assert_eq!(cache.once([1; 32], || Ok(7)), Ok(Arc::new(7)));
    }
}
