/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table. Order matters: what interrupts a call (a fault, reclaim, a stop) comes before the
 * calls, the particular before the general, and what is only guessed from a call at the end.
 *
 * Where functions come from is in the kernel's source under the directory that the section
 * names; alternatives are the names of other versions, 2.6.32 to 6.18.
 */
#include "explain/rules.h"

#include "base/cleanup.h"
#include "explain/when.h"

#define READS "read|readv|pread64|preadv|preadv2"
#define WRITES "write|writev|pwrite64|pwritev|pwritev2"
#define RECEIVES READS "|recvfrom|recvmsg|recvmmsg|recvmmsg_time64|splice|tee|sendfile|sendfile64"
#define SENDS WRITES "|sendto|sendmsg|sendmmsg|splice|sendfile|sendfile64"
#define POLLS "poll|ppoll|ppoll_time64"
#define SELECTS "select|_newselect|pselect6|pselect6_time64"
#define FUTEXES "futex|futex_time64|futex_waitv|futex_wait"
#define SLEEPS "nanosleep|clock_nanosleep|clock_nanosleep_time64"
#define DATAGRAM_LEAF                                                                              \
        "__skb_wait_for_more_packets|__skb_recv_udp|__skb_recv_datagram|wait_for_packet|"          \
        "wait_for_more_packets|skb_recv_datagram"
#define PAGE_WAIT                                                                                  \
        "folio_wait_bit_common|folio_wait_bit*|__folio_lock*|folio_put_wait_locked|"               \
        "wait_on_page_bit*|__lock_page*|sleep_on_page*|wait_on_page_writeback|"                    \
        "folio_wait_writeback*|sync_page*|put_and_wait_on_page_locked"
#define REMOTE_FS "nfs_*|nfs3_*|nfs4_*|rpc_*|__rpc_*|rpcauth_*|cifs_*|smb2_*|SMB2_*|ceph_*|p9_client*|v9fs_*|afs_*"
#define FAULTS                                                                                     \
        "handle_mm_fault|__handle_mm_fault|do_user_addr_fault|exc_page_fault|asm_exc_page_fault|"  \
        "do_page_fault|__do_page_fault|page_fault|do_async_page_fault|async_page_fault|"           \
        "do_mem_abort|faultin_page|el0_da|el0_ia"

const struct rule rules[] = {
        /* What the state alone says. */
        { .name = "zombie-leader", .states = "ZX", .when = when_leader_only,
                .subject = SUBJECT_NONE, .reason = REASON_ZOMBIE, .confidence = CONFIDENCE_CERTAIN,
                .text = "the main thread has exited; other threads of the process live on" },
        { .name = "zombie", .states = "ZX", .when = when_reapable, .subject = SUBJECT_MADE,
                .made = "process", .reason = REASON_ZOMBIE, .confidence = CONFIDENCE_CERTAIN,
                .text = "has exited; waiting for {parent} to reap it" },
        { .name = "zombie-thread", .states = "ZX", .subject = SUBJECT_NONE,
                .reason = REASON_ZOMBIE, .confidence = CONFIDENCE_CERTAIN,
                .text = "has exited; the kernel has not removed it yet" },
        { .name = "traced", .states = "t", .subject = SUBJECT_MADE, .made = "process",
                .reason = REASON_TRACED, .confidence = CONFIDENCE_CERTAIN,
                .text = "stopped by its tracer, {tracer}" },
        { .name = "traced-group-stop", .states = "T", .when = when_traced,
                .within = "ptrace_stop|ptrace_do_notify|ptrace_notify|do_jobctl_trap",
                .subject = SUBJECT_MADE, .made = "process", .reason = REASON_TRACED,
                .confidence = CONFIDENCE_CERTAIN, .text = "stopped by its tracer, {tracer}" },
        { .name = "stopped", .states = "T", .subject = SUBJECT_NONE, .reason = REASON_STOPPED,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "stopped by a job-control signal; SIGCONT continues it" },
        { .name = "running", .states = "R", .when = when_on_cpu, .subject = SUBJECT_NONE,
                .reason = REASON_RUNNING, .confidence = CONFIDENCE_CERTAIN,
                .text = "running on {cpu}" },
        { .name = "throttled", .states = "R", .when = when_off_cpu,
                .leaf = "task_work_run|throttle_cfs_rq_work", .subject = SUBJECT_MADE,
                .made = "cgroup", .reason = REASON_THROTTLED, .confidence = CONFIDENCE_LIKELY,
                .text = "held off the CPU by its cgroup's CPU quota" },
        { .name = "runnable", .states = "R", .when = when_off_cpu, .subject = SUBJECT_NONE,
                .reason = REASON_RUNNABLE, .confidence = CONFIDENCE_LIKELY,
                .text = "ready to run, waiting for {cpu}" },
        { .name = "running-or-ready", .states = "R", .subject = SUBJECT_NONE,
                .reason = REASON_RUNNING, .confidence = CONFIDENCE_LIKELY,
                .text = "running, or ready to run" },

        /* Frozen (kernel/freezer.c, kernel/signal.c). */
        { .name = "frozen", .states = "DSIP", .leaf = "__refrigerator|refrigerator",
                .subject = SUBJECT_NONE, .reason = REASON_FROZEN, .confidence = CONFIDENCE_CERTAIN,
                .text = "frozen, by the cgroup freezer or for suspend" },
        { .name = "frozen-cgroup", .leaf = "do_freezer_trap|get_signal", .subject = SUBJECT_MADE,
                .made = "cgroup", .reason = REASON_FROZEN, .confidence = CONFIDENCE_LIKELY,
                .text = "frozen by its cgroup" },

        /* User space must answer (fs/userfaultfd.c, fs/fuse, kernel/seccomp.c …). */
        { .name = "userfaultfd", .states = "SD", .leaf = "handle_userfault",
                .subject = SUBJECT_MADE, .made = "userfaultfd", .reason = REASON_REPLY,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "page fault that a program must answer through userfaultfd" },
        { .name = "fuse", .states = "SD",
                .leaf = "request_wait_answer|__fuse_request_send|fuse_request_send|fuse_get_req*|"
                        "__fuse_get_req|__fuse_simple_request|fuse_simple_request",
                .subject = SUBJECT_MADE, .made = "fuse", .reason = REASON_REPLY,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for the daemon of a FUSE file system to answer" },
        { .name = "seccomp-notify", .states = "SD",
                .leaf = "seccomp_do_user_notification|__seccomp_filter", .subject = SUBJECT_MADE,
                .made = "seccomp", .reason = REASON_REPLY, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a seccomp supervisor to decide about {call}" },
        { .name = "fanotify-permission", .states = "SD",
                .leaf = "fanotify_handle_event|fanotify_get_response*", .subject = SUBJECT_MADE,
                .made = "fanotify", .reason = REASON_REPLY, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a fanotify listener to permit the access" },
        { .name = "autofs", .states = "SD", .leaf = "autofs_wait|autofs4_wait",
                .subject = SUBJECT_NONE, .reason = REASON_REPLY, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for the automounter to mount a file system" },

        /* Memory (mm/vmscan.c, mm/memcontrol.c, mm/compaction.c). */
        { .name = "memory-reclaim", .states = "SD",
                .within = "try_to_free_pages|do_try_to_free_pages|shrink_node*|shrink_zone*|"
                          "try_to_free_mem_cgroup_pages|__alloc_pages_slowpath|"
                          "mem_cgroup_handle_over_high|__mem_cgroup_handle_over_high|"
                          "mem_cgroup_oom_synchronize|compact_zone*|try_to_compact_pages|"
                          "throttle_direct_reclaim|reclaim_throttle|congestion_wait|"
                          "wait_iff_congested",
                .subject = SUBJECT_MADE, .made = "memory", .reason = REASON_MEMORY,
                .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for memory to be reclaimed" },

        /* A network file system's server (net/sunrpc, fs/nfs, fs/smb, fs/ceph, net/9p). */
        { .name = "remote-fs", .states = "SD",
                .leaf = "rpc_wait_bit_killable|nfs_wait_bit_killable|nfs_wait_bit_uninterruptible|"
                        "nfs_wait_on_request|wait_for_response|compound_send_recv|"
                        "ceph_mdsc_wait_request|p9_client_rpc|__rpc_wait_for_completion_task|"
                        "nfs4_wait_clnt_recover|nfs_iocounter_wait",
                .reason = REASON_REMOTE_FS, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for the server of a network file system" },
        { .name = "remote-fs-page", .states = "D", .leaf = PAGE_WAIT, .within = REMOTE_FS,
                .reason = REASON_REMOTE_FS, .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for the server of a network file system" },
        { .name = "fuse-page", .states = "SD", .leaf = PAGE_WAIT, .within = "fuse_*",
                .subject = SUBJECT_MADE, .made = "fuse", .reason = REASON_REPLY,
                .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for the daemon of a FUSE file system to deliver a page" },

        /* Block I/O (mm/filemap.c, block/, fs/). */
        { .name = "swap-in", .states = "D", .leaf = PAGE_WAIT "|swap_read*|swapin_*",
                .within = "do_swap_page", .subject = SUBJECT_NONE, .reason = REASON_DISK,
                .confidence = CONFIDENCE_LIKELY,
                .text = "page fault: waiting for a page to be read from swap" },
        { .name = "fault-file", .states = "D", .leaf = PAGE_WAIT "|filemap_fault",
                .within = FAULTS, .subject = SUBJECT_NONE, .reason = REASON_DISK,
                .confidence = CONFIDENCE_LIKELY,
                .text = "page fault: waiting for a page of a mapped file to be read" },
        { .name = "disk-direct", .states = "D",
                .leaf = "blkdev_direct_IO*|__blkdev_direct_IO*|do_blockdev_direct_IO|"
                        "__blockdev_direct_IO|dio_await*|__iomap_dio_rw|iomap_dio_rw|"
                        "iomap_dio_complete*|dio_bio_complete*",
                .kinds = "file|block|directory", .reason = REASON_DISK,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for direct block I/O on {object}" },
        { .name = "disk-flush", .states = "D", .calls = "fsync|fdatasync|sync|syncfs|msync|sync_file_range",
                .leaf = PAGE_WAIT "|jbd2_log_wait_commit|log_wait_commit|submit_bio_wait|"
                        "blkdev_issue_flush|xlog_wait*|xfs_log_force*|btrfs_*|wait_on_buffer|"
                        "__wait_on_buffer|filemap_fdatawait*|__filemap_fdatawait*|"
                        "blk_mq_get_tag|rq_qos_wait|wbt_wait|__rq_qos_throttle|"
                        "jbd2_complete_transaction|ext4_sync_file|wait_on_page_writeback*",
                .reason = REASON_DISK, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {object} to be written to disk ({call})" },
        { .name = "disk-journal", .states = "D",
                .leaf = "jbd2_log_wait_commit|log_wait_commit|start_this_handle|"
                        "wait_transaction_locked|wait_transaction_switching|add_transaction_credits|"
                        "do_get_write_access|xlog_grant_head_wait|xlog_wait*|"
                        "jbd2_journal_commit_transaction",
                .reason = REASON_DISK, .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for the journal of a file system" },
        { .name = "disk-write-throttle", .states = "SD",
                .leaf = "balance_dirty_pages*|wbt_wait|rq_qos_wait|__rq_qos_throttle|"
                        "blk_throtl_*|blkcg_maybe_throttle_current|iocg_*|ioc_rqos_throttle",
                .reason = REASON_DISK, .confidence = CONFIDENCE_CERTAIN,
                .text = "held back because too much waits to be written to disk" },
        { .name = "disk-page", .states = "D", .calls = READS "|" WRITES
                "|sendfile|sendfile64|splice|copy_file_range|readahead|getdents|getdents64",
                .leaf = PAGE_WAIT "|filemap_get_pages|filemap_read|filemap_update_page|"
                        "generic_file_read_iter|generic_file_buffered_read",
                .kinds = "file|block|directory", .reason = REASON_DISK,
                .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for block I/O on {object}" },
        { .name = "disk-block", .states = "D",
                .leaf = "wait_on_buffer|__wait_on_buffer|submit_bio_wait|blk_mq_get_tag|"
                        "blk_mq_get_request|get_request|get_request_wait|bdev_getblk|"
                        "__bread_gfp|bh_read|__bh_read*|ext4_read_bh*|xfs_buf_iowait|"
                        "xfs_buf_submit*|bio_await*|sync_buffer|blk_execute_rq",
                .reason = REASON_DISK, .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for block I/O" },

        /* TCP (net/ipv4, net/core/stream.c, net/core/sock.c). */
        { .name = "tcp-accept", .calls = "accept|accept4",
                .leaf = "inet_csk_accept|inet_csk_wait_for_connect|mptcp_stream_accept",
                .kinds = "tcp", .when = when_listening, .reason = REASON_ACCEPT,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a client to connect to {object}" },
        { .name = "tcp-connect", .calls = "connect",
                .leaf = "inet_wait_for_connect|__inet_stream_connect|inet_stream_connect|"
                        "mptcp_stream_connect",
                .kinds = "tcp", .when = when_connecting, .reason = REASON_CONNECT,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {peer} to answer the connection request" },
        { .name = "tcp-receive", .calls = RECEIVES,
                .leaf = "sk_wait_data|tcp_recvmsg*|tcp_data_wait|tcp_splice_read*|mptcp_wait_data|"
                        "mptcp_recvmsg|tls_rx_rec_wait|tls_sw_recvmsg",
                .kinds = "tcp", .when = when_not_listening, .reason = REASON_RECEIVE,
                .confidence = CONFIDENCE_CERTAIN, .text = "waiting for data from {peer}" },
        { .name = "tcp-send", .calls = SENDS,
                .leaf = "sk_stream_wait_memory|tcp_sendmsg*|do_tcp_sendpages|mptcp_sendmsg",
                .kinds = "tcp", .when = when_not_listening, .reason = REASON_SEND,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {peer} to take data: the send buffer is full" },
        { .name = "tcp-send-connect", .calls = SENDS, .leaf = "sk_stream_wait_connect",
                .kinds = "tcp", .reason = REASON_CONNECT, .confidence = CONFIDENCE_CERTAIN,
                .text = "has data to send, waiting for {peer} to answer the connection request" },
        { .name = "tcp-close", .states = "S", .leaf = "sk_stream_wait_close|tcp_close|__tcp_close",
                .reason = REASON_SEND, .confidence = CONFIDENCE_LIKELY,
                .text = "closing a TCP connection that lingers: waiting for its last data to be "
                        "acknowledged" },

        /* unix sockets (net/unix/af_unix.c). */
        { .name = "unix-accept", .calls = "accept|accept4", .within = "unix_accept",
                .kinds = "unix", .when = when_listening, .reason = REASON_ACCEPT,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a client to connect to {object}" },
        { .name = "unix-connect", .calls = "connect", .leaf = "unix_wait_for_peer|unix_stream_connect",
                .kinds = "unix", .reason = REASON_CONNECT, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a unix socket's server to accept: its queue is full" },
        { .name = "unix-receive", .calls = RECEIVES,
                .leaf = "unix_stream_data_wait|unix_stream_read_generic|unix_stream_recvmsg",
                .kinds = "unix", .when = when_not_listening, .reason = REASON_RECEIVE,
                .confidence = CONFIDENCE_CERTAIN, .text = "waiting for data from {peer}" },
        { .name = "unix-datagram-receive", .calls = RECEIVES, .leaf = DATAGRAM_LEAF "|unix_dgram_recvmsg|__unix_dgram_recvmsg",
                .within = "unix_dgram_recvmsg|__unix_dgram_recvmsg|unix_seqpacket_recvmsg",
                .kinds = "unix", .reason = REASON_RECEIVE, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a message on {object}" },
        { .name = "unix-datagram-send", .calls = SENDS, .leaf = "unix_wait_for_peer|unix_dgram_sendmsg",
                .kinds = "unix", .reason = REASON_SEND, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {peer} to take a message: its queue is full" },
        { .name = "unix-send", .calls = SENDS,
                .leaf = "sock_alloc_send_pskb|sock_wait_for_wmem|unix_stream_sendmsg",
                .kinds = "unix", .reason = REASON_SEND, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {peer} to take data: the send buffer is full" },

        /* Datagrams of other families (net/core/datagram.c, net/core/sock.c). */
        { .name = "datagram-receive", .calls = RECEIVES, .leaf = DATAGRAM_LEAF,
                .kinds = "udp|netlink|packet|raw", .reason = REASON_RECEIVE,
                .confidence = CONFIDENCE_CERTAIN, .text = "waiting for a message on {object}" },
        { .name = "datagram-receive-other", .calls = RECEIVES, .leaf = DATAGRAM_LEAF,
                .kinds = "socket", .reason = REASON_RECEIVE, .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for a message on {object}" },
        { .name = "datagram-send", .calls = SENDS, .leaf = "sock_alloc_send_pskb|sock_wait_for_wmem",
                .kinds = "udp|netlink|packet|raw|socket", .reason = REASON_SEND,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for room in the send buffer of {object}" },
        { .name = "vsock-accept", .calls = "accept|accept4", .leaf = "vsock_accept",
                .kinds = "vsock", .reason = REASON_ACCEPT, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a client to connect to {object}" },
        { .name = "vsock-receive", .calls = RECEIVES,
                .leaf = "vsock_wait_data|vsock_connectible_wait_data|vsock_*recvmsg",
                .kinds = "vsock", .reason = REASON_RECEIVE, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for data from {peer}" },

        /* Pipes and FIFOs (fs/pipe.c, fs/splice.c). In state D the wait is for the pipe's lock. */
        { .name = "pipe-read", .calls = RECEIVES "|io_submit",
                .leaf = "pipe_read|anon_pipe_read|fifo_pipe_read|pipe_wait|pipe_wait_readable|"
                        "ipipe_prep|splice_from_pipe_next",
                .within = "pipe_read|anon_pipe_read|fifo_pipe_read|ipipe_prep|"
                          "splice_from_pipe_next|pipe_wait_readable|link_pipe|do_tee|"
                          "sys:tee|sys:splice",
                .kinds = "pipe|fifo", .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for data in {object}" },
        { .name = "pipe-write", .calls = SENDS "|tee|vmsplice",
                .leaf = "pipe_write|anon_pipe_write|fifo_pipe_write|pipe_wait|pipe_wait_writable|"
                        "wait_for_space|opipe_prep",
                .within = "pipe_write|anon_pipe_write|fifo_pipe_write|wait_for_space|opipe_prep|"
                          "pipe_wait_writable",
                .kinds = "pipe|fifo", .reason = REASON_WRITE, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for room in {object}: nobody reads fast enough" },
        { .name = "pipe-lock", .states = "D", .calls = RECEIVES "|" SENDS,
                .leaf = "pipe_read|anon_pipe_read|fifo_pipe_read|pipe_write|anon_pipe_write|"
                        "fifo_pipe_write",
                .kinds = "pipe|fifo", .subject = SUBJECT_MADE, .made = "kernel-mutex",
                .reason = REASON_LOCK, .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for the kernel's lock of a pipe, which another thread holds" },
        { .name = "fifo-open", .calls = "open|openat|openat2|creat", .leaf = "wait_for_partner|fifo_open",
                .subject = SUBJECT_CALL, .made = "fifo", .reason = REASON_OPEN,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for the other end of {object} to be opened" },

        /* Terminals (drivers/tty). */
        { .name = "pty-master-read", .calls = READS, .leaf = "n_tty_read|tty_read", .kinds = "tty",
                .when = when_pty_master, .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for output of the program on a pseudo-terminal, {object}" },
        { .name = "tty-read", .calls = READS,
                .leaf = "n_tty_read|tty_read|read_chan|job_control|n_tty_wait_for_input",
                .kinds = "tty", .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for input from {object}" },
        { .name = "tty-write", .calls = WRITES,
                .leaf = "n_tty_write|tty_write|do_tty_write|file_tty_write*|write_chan|"
                        "process_output_block",
                .kinds = "tty", .reason = REASON_WRITE, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {object} to take output: it is stopped (Ctrl-S) or not read" },
        { .name = "tty-drain", .states = "SD", .leaf = "tty_wait_until_sent", .reason = REASON_WRITE,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a terminal to send what was written" },

        /* poll, select, epoll (fs/select.c, fs/eventpoll.c), io_uring. */
        { .name = "poll-sleep", .calls = POLLS, .leaf = "do_sys_poll|do_poll*",
                .when = when_set_empty_timeout, .call_decides = true, .subject = SUBJECT_TIMER,
                .made = "timer", .reason = REASON_SLEEP, .confidence = CONFIDENCE_CERTAIN,
                .text = "sleeping{left} (poll without file descriptors)" },
        { .name = "poll-signal", .calls = POLLS, .leaf = "do_sys_poll|do_poll*",
                .when = when_set_empty, .call_decides = true, .subject = SUBJECT_NONE,
                .reason = REASON_SIGNAL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a signal (poll without file descriptors)" },
        { .name = "poll", .calls = POLLS, .leaf = "do_sys_poll|do_poll*", .call_decides = true,
                .reason = REASON_POLL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {members}{atmost} (poll)" },
        { .name = "select-sleep", .calls = SELECTS, .leaf = "do_select|core_sys_select",
                .when = when_set_empty_timeout, .call_decides = true, .subject = SUBJECT_TIMER,
                .made = "timer", .reason = REASON_SLEEP, .confidence = CONFIDENCE_CERTAIN,
                .text = "sleeping{left} (select without file descriptors)" },
        { .name = "select-signal", .calls = SELECTS, .leaf = "do_select|core_sys_select",
                .when = when_set_empty, .call_decides = true, .subject = SUBJECT_NONE,
                .reason = REASON_SIGNAL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a signal (select without file descriptors)" },
        { .name = "select", .calls = SELECTS, .leaf = "do_select|core_sys_select",
                .call_decides = true, .reason = REASON_POLL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {members}{atmost} (select)" },
        { .name = "epoll", .calls = "epoll_wait|epoll_pwait|epoll_pwait2",
                .leaf = "ep_poll|do_epoll_wait|do_epoll_pwait*|sys:epoll_wait|sys:epoll_pwait|"
                        "sys:epoll_pwait2",
                .call_decides = true, .reason = REASON_POLL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {members}{atmost} (epoll)" },
        { .name = "io-uring", .calls = "io_uring_enter", .leaf = "io_cqring_wait*|io_cqring_schedule*",
                .kinds = "io_uring", .reason = REASON_POLL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a completion of {object}" },
        { .name = "io-uring-worker", .states = "SDI", .leaf = "io_wq_worker|io_sq_thread",
                .subject = SUBJECT_NONE, .reason = REASON_IDLE, .confidence = CONFIDENCE_CERTAIN,
                .text = "a worker of io_uring with nothing to do" },

        /* Files without a path. */
        { .name = "eventfd-read", .calls = READS, .leaf = "eventfd_read|eventfd_ctx_read",
                .kinds = "eventfd", .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {object} to be signalled" },
        { .name = "eventfd-write", .calls = WRITES, .leaf = "eventfd_write", .kinds = "eventfd",
                .reason = REASON_WRITE, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {object} to be read: its counter is full" },
        { .name = "timerfd-read", .calls = READS, .leaf = "timerfd_read|timerfd_read_iter",
                .kinds = "timerfd", .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting{left} for {object} to expire" },
        { .name = "signalfd-read", .calls = READS, .leaf = "signalfd_read*|signalfd_dequeue",
                .kinds = "signalfd", .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a signal on {object}" },
        { .name = "inotify-read", .calls = READS, .leaf = "inotify_read", .kinds = "inotify",
                .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a change to a watched file on {object}" },
        { .name = "fanotify-read", .calls = READS, .leaf = "fanotify_read", .kinds = "fanotify",
                .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for an event on {object}" },
        { .name = "userfaultfd-read", .calls = READS,
                .leaf = "userfaultfd_read*|userfaultfd_ctx_read", .kinds = "userfaultfd",
                .reason = REASON_READ, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a page fault of the program that {object} serves" },

        /* Futexes (kernel/futex): what they are used for, /proc does not tell. */
        { .name = "futex-pi", .calls = FUTEXES,
                .leaf = "futex_lock_pi|rt_mutex_*|__rt_mutex_*|rt_mutex_slowlock*|sys:futex|do_futex",
                .when = when_futex_lock, .call_decides = true, .reason = REASON_LOCK,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a priority-inheritance lock, {object}{atmost}" },
        { .name = "futex", .calls = FUTEXES,
                .leaf = "futex_wait*|__futex_wait|futex_do_wait|do_futex|futex_wait_queue*|"
                        "sys:futex|futex_wait_multiple*|sys:futex_waitv",
                .when = when_futex_wait, .call_decides = true, .reason = REASON_FUTEX,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for another thread to change and wake {object}{atmost}" },

        /* Time and signals (kernel/time, kernel/signal.c). */
        { .name = "sleep", .calls = SLEEPS,
                .leaf = "hrtimer_nanosleep*|do_nanosleep|common_nsleep*|nanosleep_copyout|"
                        "alarm_timer_nsleep*|sys:nanosleep|sys:clock_nanosleep|"
                        "sys:clock_nanosleep_time32|sys:nanosleep_time32|do_cpu_nanosleep|posix_cpu_nsleep*",
                .call_decides = true, .subject = SUBJECT_TIMER, .made = "timer",
                .reason = REASON_SLEEP, .confidence = CONFIDENCE_CERTAIN,
                .text = "sleeping{left}" },
        { .name = "sleep-restarted", .calls = "restart_syscall", .when = when_entry_only,
                .subject = SUBJECT_NONE, .reason = REASON_SLEEP, .confidence = CONFIDENCE_LIKELY,
                .text = "sleeping until a time (a sleep that a signal or stop interrupted)" },
        { .name = "pause", .calls = "pause", .leaf = "sys:pause", .call_decides = true,
                .subject = SUBJECT_NONE, .reason = REASON_SIGNAL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for any signal (pause)" },
        { .name = "sigsuspend", .calls = "rt_sigsuspend|sigsuspend",
                .leaf = "sigsuspend|sys:rt_sigsuspend|sys:sigsuspend", .call_decides = true,
                .subject = SUBJECT_NONE, .reason = REASON_SIGNAL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a signal (sigsuspend)" },
        { .name = "sigtimedwait", .calls = "rt_sigtimedwait|rt_sigtimedwait_time64",
                .leaf = "do_sigtimedwait|sys:rt_sigtimedwait*", .call_decides = true,
                .subject = SUBJECT_NONE, .reason = REASON_SIGNAL, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a signal{atmost} (sigwait)" },

        /* Children (kernel/exit.c, kernel/fork.c). */
        { .name = "wait-child", .calls = "wait4|waitpid|waitid", .leaf = "do_wait|sys:wait4|sys:waitid|kernel_waitid|kernel_wait4",
                .when = when_child_named, .call_decides = true, .reason = REASON_CHILD,
                .confidence = CONFIDENCE_CERTAIN, .text = "waiting for its child {child}" },
        { .name = "wait-children", .calls = "wait4|waitpid|waitid", .leaf = "do_wait|sys:wait4|sys:waitid|kernel_waitid|kernel_wait4",
                .call_decides = true, .subject = SUBJECT_MADE, .made = "process",
                .reason = REASON_CHILD, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for {children}" },
        { .name = "vfork", .states = "SD", .calls = "vfork|clone|clone3",
                .leaf = "kernel_clone|_do_fork|do_fork|wait_for_vfork_done|sys:vfork|sys:clone|"
                        "sys:clone3",
                .call_decides = true, .subject = SUBJECT_MADE, .made = "process",
                .reason = REASON_CHILD, .confidence = CONFIDENCE_LIKELY,
                .text = "waiting for {children} to exec or exit (vfork)" },

        /* File locks (fs/locks.c). */
        { .name = "flock", .calls = "flock", .leaf = "locks_lock_inode_wait|flock_lock_inode_wait|flock_lock_file_wait|sys:flock",
                .subject = SUBJECT_LOCK, .made = "flock", .reason = REASON_LOCK,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for somebody else's lock on {object} (flock)" },
        { .name = "ofd-lock", .calls = "fcntl|fcntl64", .leaf = "fcntl_setlk*|do_lock_file_wait|posix_lock_file_wait|posix_lock_inode_wait|locks_lock_inode_wait",
                .when = when_ofd_lock, .subject = SUBJECT_LOCK, .made = "ofd-lock",
                .reason = REASON_LOCK, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for somebody else's lock on {object} (open file description)" },
        { .name = "posix-lock", .calls = "fcntl|fcntl64", .leaf = "fcntl_setlk*|do_lock_file_wait|posix_lock_file_wait|posix_lock_inode_wait|locks_lock_inode_wait",
                .when = when_posix_lock, .subject = SUBJECT_LOCK, .made = "posix-lock",
                .reason = REASON_LOCK, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for somebody else's lock on {object} (fcntl)" },
        { .name = "lease", .leaf = "__break_lease|break_lease", .subject = SUBJECT_LOCK,
                .made = "lease", .reason = REASON_LOCK, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for the holder of a lease on a file to give it up" },

        /* System V and POSIX message queues and semaphores (ipc/). */
        { .name = "sysv-sem", .calls = "semop|semtimedop|semtimedop_time64|ipc",
                .leaf = "do_semtimedop|__do_semtimedop|sys:semtimedop|sys:semop|ksys_semtimedop",
                .subject = SUBJECT_MADE, .made = "sysv-sem", .reason = REASON_SEMAPHORE,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a System V semaphore{atmost}" },
        { .name = "sysv-msg-receive", .calls = "msgrcv|ipc", .leaf = "do_msgrcv*|sys:msgrcv",
                .subject = SUBJECT_MADE, .made = "sysv-msg", .reason = REASON_RECEIVE,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a message in a System V queue" },
        { .name = "sysv-msg-send", .calls = "msgsnd|ipc", .leaf = "do_msgsnd*|sys:msgsnd",
                .subject = SUBJECT_MADE, .made = "sysv-msg", .reason = REASON_SEND,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for room in a System V queue" },
        { .name = "mq-receive", .calls = "mq_timedreceive|mq_timedreceive_time64",
                .leaf = "wq_sleep*|do_mq_timedreceive|sys:mq_timedreceive*",
                .subject = SUBJECT_LOCK, .made = "posix-mq", .reason = REASON_RECEIVE,
                .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for a message in {object}{atmost}" },
        { .name = "mq-send", .calls = "mq_timedsend|mq_timedsend_time64",
                .leaf = "wq_sleep*|do_mq_timedsend|sys:mq_timedsend*", .subject = SUBJECT_LOCK,
                .made = "posix-mq", .reason = REASON_SEND, .confidence = CONFIDENCE_CERTAIN,
                .text = "waiting for room in {object}{atmost}" },

        /* Kernel threads with nothing to do: asleep in the function that is their loop. */
        { .name = "kworker-idle", .states = "SID", .kernel = true,
                .leaf = "worker_thread|rescuer_thread", .subject = SUBJECT_NONE,
                .reason = REASON_IDLE, .confidence = CONFIDENCE_CERTAIN,
                .text = "a kernel worker with nothing to do" },
        { .name = "kthread-idle", .states = "SIDP", .kernel = true,
                .leaf = "kthreadd|smpboot_thread_fn|kthread_worker_fn|kthread|kthread_parkme|"
                        "__kthread_parkme|rcu_gp_kthread|rcu_gp_fqs_loop|rcu_tasks_kthread|"
                        "rcu_tasks_one_gp|rcu_nocb_*kthread|rcu_boost_kthread|rcu_torture*|"
                        "kswapd|kswapd_try_to_sleep|kcompactd|khugepaged|khugepaged_wait_work|"
                        "ksm_scan_thread|oom_reaper|kauditd_thread|devtmpfsd|devtmpfs_work_loop|"
                        "kjournald2|kjournald|scsi_error_handler|irq_thread|watchdog|"
                        "cpu_stopper_thread|migration_thread|ksoftirqd|bdi_writeback_thread|"
                        "bdi_forker_thread|bdi_sync_supers|xfsaild|cleaner_kthread|"
                        "transaction_kthread|hwrng_fillfn|svc_recv|nfsd|lockd|"
                        "nfs41_callback_svc|loop_thread|md_thread|dmcrypt_write|vhost_worker|"
                        "vhost_task_fn|psi_rtpoll_worker|psi_poll_worker|balloon*thread|"
                        "ecryptfs_threadfn|audit_prune_tree*|hub_thread|khvcd|"
                        "kvm_nx_huge_page_recovery_worker|jfs*_thread|btrfs_*thread|"
                        "io_wq_worker|cifs_demultiplex_thread|ib_*thread|worker_loop|"
                        "damon_kthread*|prune_tree_thread|napi_threaded_poll*|"
                        "napi_thread_wait|kernel_kthread*|mmc_*thread|spi_pump*|ttm_*thread|"
                        "ubi_thread|jffs2_garbage_collect_thread|gfs2_*d|dlm_*|"
                        "wait_for_kthread*|one_shot*|cryptd*|pages_*thread",
                .subject = SUBJECT_NONE, .reason = REASON_IDLE, .confidence = CONFIDENCE_CERTAIN,
                .text = "a kernel thread with nothing to do" },
        { .name = "kthread-idle-state", .states = "IP", .kernel = true, .subject = SUBJECT_NONE,
                .reason = REASON_IDLE, .confidence = CONFIDENCE_LIKELY,
                .text = "a kernel thread, idle by its state" },

        /*
         * No function was recognised, or the stack is refused, but a sleeping thread is in a
         * call that can hardly wait for anything else.
         */
        { .name = "call-accept", .calls = "accept|accept4", .kinds = "tcp|unix|vsock|socket",
                .reason = REASON_ACCEPT, .confidence = CONFIDENCE_GUESS,
                .text = "in {call}, probably waiting for a client to connect to {object}" },
        { .name = "call-connect", .calls = "connect", .kinds = "tcp|unix|vsock|socket",
                .reason = REASON_CONNECT, .confidence = CONFIDENCE_GUESS,
                .text = "in connect, probably waiting for {peer} to answer" },
        { .name = "call-receive", .calls = RECEIVES, .kinds = "tcp|udp|unix|netlink|packet|raw|vsock|socket",
                .reason = REASON_RECEIVE, .confidence = CONFIDENCE_GUESS,
                .text = "in {call}, probably waiting for data on {object}" },
        { .name = "call-send", .calls = "write|writev|sendto|sendmsg|sendmmsg",
                .kinds = "tcp|udp|unix|netlink|packet|raw|vsock|socket",
                .reason = REASON_SEND, .confidence = CONFIDENCE_GUESS,
                .text = "in {call}, probably waiting for room to send on {object}" },
        { .name = "call-read", .calls = READS,
                .kinds = "pipe|fifo|tty|eventfd|timerfd|signalfd|inotify|fanotify|chardev",
                .reason = REASON_READ, .confidence = CONFIDENCE_GUESS,
                .text = "in {call}, probably waiting for input from {object}" },
        { .name = "call-write", .calls = WRITES, .kinds = "pipe|fifo|tty|eventfd|chardev",
                .reason = REASON_WRITE, .confidence = CONFIDENCE_GUESS,
                .text = "in {call}, probably waiting for {object} to take output" },
};

const size_t n_rules = ARRAY_SIZE(rules);
