# SPDX-License-Identifier: GPL-2.0-or-later
# fish completion of pwhy.

set -l reasons running runnable throttled stopped traced frozen zombie sleep signal \
    accept connect receive send open read write poll disk remote-fs lock \
    condition semaphore barrier join futex child reply memory kernel idle unknown

complete -c pwhy -f
complete -c pwhy -a '(__fish_complete_pids)'
complete -c pwhy -a '(__fish_complete_proc)'
complete -c pwhy -s a -l all -d 'Every process'
complete -c pwhy -l idle -d 'Every process, and idle kernel threads too'
complete -c pwhy -l explain-stack -r -F -d 'Explain pasted stacks or a kernel log'
complete -c pwhy -l proc -x -a '(__fish_complete_directories)' -d 'A recorded tree instead of /proc'
complete -c pwhy -l source -x -a 'auto proc bpf' -d 'Where to read from'
complete -c pwhy -s b -l blocked-for -x -a '1s 10s 30s 1min 5min 1h' -d 'Off the CPU for at least so long'
complete -c pwhy -s g -l cgroup -x -a '(__fish_complete_directories)' -d 'In this control group, or below it'
complete -c pwhy -s r -l reason -x -a "(__fish_append , $reasons)" -d 'Waiting for one of these reasons'
complete -c pwhy -s s -l state -x -a 'R S D T t Z X I P' -d 'In one of these states'
complete -c pwhy -s u -l user -x -a '(__fish_complete_users)' -d 'Of processes of this user'
complete -c pwhy -l color -f -a 'auto always never' -d 'Use colors'
complete -c pwhy -l deadlocks -d 'Only deadlocks and who is in or behind one'
complete -c pwhy -l format -x -a 'text dot svg' -d 'The graph in this format'
complete -c pwhy -l graph -d 'Who waits for whom, as trees'
complete -c pwhy -l root -d 'Who keeps others waiting'
complete -c pwhy -s j -l json -d 'One JSON document'
complete -c pwhy -l raw -d 'Kernel stacks only'
complete -c pwhy -l no-user -d 'Without user stacks'
complete -c pwhy -l no-kernel -d 'Without kernel stacks'
complete -c pwhy -l threads -d 'With --raw: every thread of a PID'
complete -c pwhy -l profile -x -a '0 20ms 100ms 1s' -d 'Watch threads that run for so long'
complete -c pwhy -l timeout -x -a '500ms 2s 10s 1min' -d 'Wait so long for files that do not answer'
complete -c pwhy -s w -l watch -x -a '1 2 5 10' -d 'Look again after so long'
complete -c pwhy -s '?' -l help -d 'Explain the options'
complete -c pwhy -l usage -d 'List the options'
complete -c pwhy -s V -l version -d 'Print the version'
