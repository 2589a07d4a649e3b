//! One thread sleeps until another wakes it.

use super::sync::{Condvar, Mutex, MutexGuard};

/// Wakes one sleeper. A ring that comes before the sleeper lies down is not lost.
#[derive(Debug)]
pub(super) struct Bell {
    rung: Mutex<bool>,
    heard: Condvar,
}

impl Bell {
    pub(super) fn new() -> Self {
        Self { rung: Mutex::new(false), heard: Condvar::new() }
    }

    /// Ends one [`sleep`](Self::sleep), now or later.
    pub(super) fn ring(&self) {
        *lock(&self.rung) = true;
        self.heard.notify_one();
    }

    /// Sleeps until the bell rings, and answers one ring.
    pub(super) fn sleep(&self) {
        let mut rung = lock(&self.rung);
        while !*rung {
            rung = self.heard.wait(rung).expect("nothing panics while it holds the lock");
        }
        *rung = false;
    }
}

/// Locks what cannot be poisoned.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nothing panics while it holds the lock")
}
