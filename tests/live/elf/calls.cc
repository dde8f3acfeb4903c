// SPDX-License-Identifier: GPL-2.0-or-later
// Calls of all kinds, for names and lines: templates, name spaces, classes, lambdas, inlined
// functions in each other, recursion, a function that does not return, a static one.
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#define INLINE static inline __attribute__((always_inline))

namespace outer
{
namespace
{
int counter;
}

INLINE int innermost(int x)
{
        counter += x;
        return std::rand() + counter;
}

INLINE int middle(int x)
{
        int sum = innermost(x);

        for (int i = 0; i < x; i++)
                sum += innermost(i);
        return sum;
}

template <class T> struct Stack {
        std::vector<T> items;
        __attribute__((noinline)) T push(const T &item)
        {
                items.push_back(item);
                return items.front();
        }
        template <class U> U fold(U start) const
        {
                for (const T &item : items)
                        start += static_cast<U>(item);
                return start;
        }
        bool operator<(const Stack &other) const
        {
                return items.size() < other.items.size();
        }
};
} // namespace outer

static __attribute__((noinline)) int plain(int x)
{
        return outer::middle(x) + outer::middle(x + 1);
}

[[noreturn]] static __attribute__((noinline)) void leave(int x)
{
        throw std::runtime_error("left " + std::to_string(x));
}

static int recurse(int x, int (*f)(int))
{
        return x <= 0 ? f(x) : recurse(x - 1, f) + f(x);
}

extern "C" int exported(int x)
{
        outer::Stack<long> stack;
        std::map<std::string, int> names;
        std::function<int(int)> add = [&stack](int y) { return plain(y) + (int)stack.push(y); };

        for (int i = 0; i < x; i++)
                names[std::to_string(i)] = add(i);
        try {
                leave(x);
        } catch (const std::exception &e) {
                names[e.what()] = recurse(x, plain);
        }
        return stack.fold<int>(0) + (int)names.size() + (stack < outer::Stack<long>());
}

int main(int argc, char **)
{
        std::printf("%d\n", exported(argc));
        return 0;
}
