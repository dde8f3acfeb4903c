/* SPDX-License-Identifier: GPL-2.0-or-later */
/* C without any library, so that it can be linked in every way: functions, big and small frames. */
int sink;

static inline __attribute__((always_inline)) int square(int x)
{
        sink += x;
        return x * x;
}

__attribute__((noinline)) int leaf(int x)
{
        return square(x) + 1;
}

__attribute__((noinline)) static int many(int a, int b, int c, int d, int e, int f, int g, int h)
{
        volatile int room[200];

        for (int i = 0; i < 200; i++)
                room[i] = leaf(a + i) * b + leaf(c) * d + leaf(e * f) - leaf(g) % (h | 1);
        return room[sink & 127];
}

__attribute__((noinline)) int variable(int n)
{
        char room[n];

        for (int i = 0; i < n; i++)
                room[i] = (char)leaf(i);
        return room[n / 2] + many(1, 2, 3, n, 5, 6, 7, 8);
}

int entry(int n)
{
        return variable(n) + leaf(n);
}

int main(void)
{
        return entry(3) & 1;
}
