/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C++: exceptions, templates, inlining, handlers of signals. As threads.c. */
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>
#include <unistd.h>

namespace {

std::mutex taken;
std::condition_variable never;
int silent[2];
std::atomic<int> sink;

struct Blocking {
        ~Blocking()
        {
                char byte;
                sink += static_cast<int>(read(silent[0], &byte, 1));
        }
};

template <typename T, int N> struct Nested {
        __attribute__((noinline)) static T run(const std::function<void()> &wait, T value)
        {
                return Nested<T, N - 1>::run(wait, value + 1) + 1;
        }
};

template <typename T> struct Nested<T, 0> {
        __attribute__((noinline)) static T run(const std::function<void()> &wait, T value)
        {
                wait();
                return value;
        }
};

inline __attribute__((always_inline)) void inlined_twice(int fd)
{
        char byte;
        sink += static_cast<int>(read(fd, &byte, 1));
}

inline __attribute__((always_inline)) void inlined_once(int fd)
{
        inlined_twice(fd);
        sink++;
}

__attribute__((noinline)) void wait_inlined()
{
        inlined_once(silent[0]);
}

__attribute__((noinline)) void wait_in_catch()
{
        try {
                throw std::runtime_error("thrown");
        } catch (const std::exception &e) {
                sink += static_cast<int>(std::string(e.what()).size());
                wait_inlined();
        }
}

__attribute__((noinline)) void throw_through()
{
        Blocking blocking;
        throw std::runtime_error("unwinding");
}

/* A destructor that blocks while an exception passes. */
__attribute__((noinline)) void wait_in_unwinding()
{
        try {
                throw_through();
        } catch (const std::exception &) {
                sink++;
        }
}

__attribute__((noinline)) void wait_mutex()
{
        std::lock_guard<std::mutex> guard(taken);
        sink++;
}

__attribute__((noinline)) void wait_condition()
{
        std::mutex own;
        std::unique_lock<std::mutex> lock(own);
        never.wait(lock, [] { return false; });
}

extern "C" void handler(int)
{
        wait_inlined();
}

__attribute__((noinline)) void wait_in_handler()
{
        raise(SIGUSR1);
        sink++;
}

} // namespace

int main()
{
        std::vector<std::thread> threads;
        void (*const waits[])() = { wait_inlined, wait_in_catch, wait_in_unwinding, wait_mutex,
                wait_condition, wait_in_handler };

        if (pipe(silent) < 0)
                return 2;
        taken.lock();
        signal(SIGUSR1, handler);
        for (auto wait : waits)
                threads.emplace_back([wait] { sink += Nested<long, 5>::run(wait, 1L); });
        std::printf("ready\n");
        std::fflush(stdout);
        threads[0].join();
        return 0;
}
