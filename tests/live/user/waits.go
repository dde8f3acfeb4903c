// SPDX-License-Identifier: GPL-2.0-or-later
// Goroutines that wait: for a mutex and a channel, which only the runtime knows of, and in a system
// call, which holds a thread. Prints "ready". Compiled by test_languages.py.
package main

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
)

//go:noinline
func waitRead(fd int) {
	var b [1]byte
	n, err := syscall.Read(fd, b[:])
	fmt.Println(n, err)
}

//go:noinline
func waitMutex(m *sync.Mutex) {
	m.Lock()
	fmt.Println("never")
}

//go:noinline
func waitLocked(c chan int) {
	runtime.LockOSThread() // this goroutine keeps its thread to itself, while it is parked, too
	fmt.Println(<-c)
}

func main() {
	var m sync.Mutex
	var pipe [2]int
	c := make(chan int)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1)
	m.Lock()
	if syscall.Pipe(pipe[:]) != nil {
		os.Exit(1)
	}
	for i := 0; i < 3; i++ {
		go waitRead(pipe[0])
		go waitMutex(&m)
		go waitLocked(c)
	}
	fmt.Println("ready")
	<-signals
}
