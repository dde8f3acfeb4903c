// SPDX-License-Identifier: GPL-2.0-or-later
// A goroutine that waits in a function of C, which is on another stack than it is. Prints "ready".
// Compiled by test_languages.py.
package main

/*
#include <unistd.h>
static int waitInC(int n)
{
        return pause() + n;
}
*/
import "C"

import "fmt"

//go:noinline
func callC(n int) int {
	return int(C.waitInC(C.int(n))) + 1
}

func main() {
	fmt.Println("ready")
	fmt.Println(callC(3))
}
