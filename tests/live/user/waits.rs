// SPDX-License-Identifier: GPL-2.0-or-later
// Threads that wait in the ways of Rust's standard library. Prints "ready" when all were made.
// Compiled by test_languages.py, with either mangling of names.
use std::io::Read;
use std::sync::{Arc, Condvar, Mutex, Once, RwLock};
use std::thread;

struct Shared {
    mutex: Mutex<u64>,
    rwlock: RwLock<u64>,
    quiet: Mutex<u64>,
    never: Condvar,
    once: Once,
}

#[inline(never)]
fn wait_mutex(s: &Shared) {
    *s.mutex.lock().unwrap() += 1;
}

#[inline(never)]
fn wait_read(s: &Shared) {
    println!("{}", *s.rwlock.read().unwrap());
}

#[inline(never)]
fn wait_write(s: &Shared) {
    *s.rwlock.write().unwrap() += 1;
}

#[inline(never)]
fn wait_condition(s: &Shared) {
    let mut guard = s.quiet.lock().unwrap();
    while *guard == 0 {
        guard = s.never.wait(guard).unwrap();
    }
}

#[inline(never)]
fn wait_once(s: &Shared) {
    s.once.call_once(|| println!("never"));
    println!("nor this");
}

#[inline(never)]
fn wait_park(_: &Shared) {
    loop {
        thread::park();
    }
}

mod generic {
    pub trait Wait {
        fn wait_join(self);
    }

    impl<T> Wait for std::thread::JoinHandle<T> {
        #[inline(never)]
        fn wait_join(self) {
            self.join().ok();
            println!("joined");
        }
    }
}

fn main() {
    use generic::Wait;
    let shared = Arc::new(Shared {
        mutex: Mutex::new(0),
        rwlock: RwLock::new(0),
        quiet: Mutex::new(0),
        never: Condvar::new(),
        once: Once::new(),
    });
    let _mutex = shared.mutex.lock().unwrap();
    let _rwlock = shared.rwlock.write().unwrap();
    let first = shared.clone();
    let parked = thread::spawn(move || first.once.call_once(|| loop { thread::park() }));
    while !shared.once.is_completed() && !started(&shared.once) {
        thread::yield_now();
    }
    for wait in [wait_mutex, wait_read, wait_write, wait_condition, wait_once, wait_park] {
        let shared = shared.clone();
        thread::spawn(move || wait(&shared));
    }
    thread::spawn(move || parked.wait_join());
    println!("ready");
    let mut byte = [0];
    std::io::stdin().read(&mut byte).ok();
    std::process::exit(0);
}

// Whether the other thread is in the initialisation already; if not, this may be the first, and
// returns at once.
fn started(_: &Once) -> bool {
    thread::sleep(std::time::Duration::from_millis(200));
    true
}
