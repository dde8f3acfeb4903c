/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table. Order matters: what interrupts a call (a fault, reclaim, a stop) comes before the
 * calls, the particular before the general, and what is only guessed from a call at the end.
 *
 * The rows are data, in a file for each family. Where functions come from is in the kernel's
 * source under the directory that a section names; alternatives are the names of other
 * versions, 2.6.32 to 6.18.
 */
#include "explain/rules.h"

#include "base/cleanup.h"
#include "explain/place.h"
#include "explain/when.h"

#define READS "read|readv|pread64|preadv|preadv2"
#define WRITES "write|writev|pwrite64|pwritev|pwritev2"
#define FILE_CALLS                                                                                 \
        READS "|" WRITES "|sendfile|sendfile64|splice|copy_file_range|readahead|getdents|"         \
              "getdents64|fsync|fdatasync|sync_file_range|ftruncate|fallocate"
#define RECEIVES READS "|recvfrom|recvmsg|recvmmsg|recvmmsg_time64|splice|tee|sendfile|sendfile64"
#define SENDS WRITES "|sendto|sendmsg|sendmmsg|splice|sendfile|sendfile64"
#define POLLS "poll|ppoll|ppoll_time64"
#define SELECTS "select|_newselect|pselect6|pselect6_time64"
#define FUTEXES "futex|futex_time64|futex_waitv|futex_wait"
#define FUTEX_LEAF                                                                                 \
        "futex_wait*|__futex_wait|futex_do_wait|do_futex|futex_wait_queue*|sys:futex|"             \
        "sys:futex_wait"
#define FUTEX_LOCKS "futex_lock_pi|rt_mutex_*|__rt_mutex_*|rt_mutex_slowlock*"
#define SLEEPS "nanosleep|clock_nanosleep|clock_nanosleep_time64"
#define MUTEX_LOCK                                                                                 \
        "pthread_mutex_lock|__pthread_mutex_lock|___pthread_mutex_lock|"                           \
        "__GI___pthread_mutex_lock|__pthread_mutex_lock_full|pthread_mutex_timedlock|"             \
        "__pthread_mutex_timedlock|___pthread_mutex_timedlock|pthread_mutex_clocklock|"            \
        "___pthread_mutex_clocklock|__pthread_mutex_clocklock_common|mtx_lock|mtx_timedlock"
#define CONDITION_WAIT                                                                             \
        "pthread_cond_wait|__pthread_cond_wait|___pthread_cond_wait|pthread_cond_timedwait|"       \
        "__pthread_cond_timedwait|___pthread_cond_timedwait*|pthread_cond_clockwait|"              \
        "___pthread_cond_clockwait*|__pthread_cond_wait_common|__pthread_cond_clockwait*|"         \
        "cnd_wait|cnd_timedwait"
#define STDIO_CALLS                                                                                \
        "flockfile|_IO_flockfile|_IO_fwrite|_IO_puts|_IO_fputs|_IO_fread|_IO_fgets|"               \
        "_IO_fflush|_IO_fclose|_IO_ungetc|_IO_getc|_IO_putc|_IO_ftell|_IO_getline*|"               \
        "_IO_getdelim|_IO_setvbuf|_IO_flush_all*|_IO_cleanup|_IO_un_link|_IO_link_in|"             \
        "_IO_list_lock|"                                                                           \
        "fwrite|puts|fputs|fputc|putc|putchar|fputws|fputwc|putwc|putwchar|printf|"                \
        "fprintf|vprintf|vfprintf|__vfprintf*|__vfwprintf*|dprintf|perror|fread|fgets|"            \
        "fgetc|getc|getchar|getline|getdelim|__getdelim|fgetws|fgetwc|getwc|ungetc|scanf|"         \
        "fscanf|vfscanf|fflush|fclose|fseek|fseeko*|ftell|ftello*|rewind|fgetpos*|"                \
        "fsetpos*|setvbuf|feof|ferror|clearerr|freopen*|fopen*|popen|pclose"
#define DATAGRAM_LEAF                                                                              \
        "__skb_wait_for_more_packets|__skb_recv_udp|__skb_recv_datagram|wait_for_packet|"          \
        "wait_for_more_packets|skb_recv_datagram"
#define PAGE_WAIT                                                                                  \
        "folio_wait_bit_common|folio_wait_bit*|__folio_lock*|folio_put_wait_locked|"               \
        "wait_on_page_bit*|__lock_page*|sleep_on_page*|wait_on_page_writeback|"                    \
        "folio_wait_writeback*|sync_page*|put_and_wait_on_page_locked"
#define REMOTE_FS                                                                                  \
        "nfs_*|nfs3_*|nfs4_*|rpc_*|__rpc_*|rpcauth_*|cifs_*|smb2_*|SMB2_*|ceph_*|p9_client*|v9fs_" \
        "*|afs_*"

const struct rule rules[] = {
#include "explain/rules-state.def"
#include "explain/rules-lock.def"
#include "explain/rules-storage.def"
#include "explain/rules-socket.def"
#include "explain/rules-file.def"
#include "explain/rules-user.def"
#include "explain/rules-sync.def"
#include "explain/rules-kernel.def"
#include "explain/rules-call.def"
};

const size_t n_rules = ARRAY_SIZE(rules);
