# SPDX-License-Identifier: GPL-2.0-or-later
# bash completion of pwhy. Names come from other processes and may be anything: only plain
# ones are offered, so that none of them can reach the shell as code.

_pwhy_targets()
{
        command ps -eo pid=,comm= 2>/dev/null |
                while read -r pid name; do
                        printf '%s\n' "$pid"
                        [[ $name =~ ^[A-Za-z0-9_][A-Za-z0-9._+-]*$ ]] && printf '%s\n' "$name"
                done | sort -u
}

_pwhy()
{
        local cur=${COMP_WORDS[COMP_CWORD]} prev= option= head=
        local reasons='running runnable throttled stopped traced frozen zombie sleep signal
                accept connect receive send open read write poll disk remote-fs lock condition
                semaphore barrier join futex child reply memory kernel idle unknown'
        local long='--all --idle --proc --source --explain-stack --blocked-for --cgroup --reason --state --user --color
                --deadlocks --format --graph --json --no-kernel --no-user --profile --raw --root --threads --timeout --watch --help --usage --version'
        local short='-a -b -g -r -s -u -j -w -? -V'

        COMPREPLY=()
        ((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}
        # "=" is a word of its own where it breaks words: --user=ro is "--user" "=" "ro".
        if [[ $cur == = ]]; then
                option=$prev cur=
        elif [[ $prev == = ]] && ((COMP_CWORD > 1)); then
                option=${COMP_WORDS[COMP_CWORD - 2]}
        elif [[ $prev != --color ]]; then
                option=$prev
        fi

        case $option in
        --proc)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -d -- "$cur")
                ;;
        --source)
                mapfile -t COMPREPLY < <(compgen -W 'auto proc bpf' -- "$cur")
                ;;
        --explain-stack)
                compopt -o filenames 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -f -- "$cur")
                ;;
        -g | --cgroup)
                compopt -o filenames -o nospace 2>/dev/null
                mapfile -t COMPREPLY < <(compgen -d -- "${cur:-/sys/fs/cgroup/}")
                ;;
        -u | --user)
                mapfile -t COMPREPLY < <(compgen -u -- "$cur")
                ;;
        -r | --reason)
                [[ $cur == *,* ]] && head=${cur%,*},
                mapfile -t COMPREPLY < <(compgen -P "$head" -W "$reasons" -- "${cur##*,}")
                ;;
        -s | --state)
                mapfile -t COMPREPLY < <(compgen -W 'R S D T t Z X I P' -- "$cur")
                ;;
        -b | --blocked-for)
                mapfile -t COMPREPLY < <(compgen -W '1s 10s 30s 1min 5min 1h' -- "$cur")
                ;;
        -w | --watch)
                mapfile -t COMPREPLY < <(compgen -W '1 2 5 10' -- "$cur")
                ;;
        --profile)
                mapfile -t COMPREPLY < <(compgen -W '0 20ms 100ms 1s' -- "$cur")
                ;;
        --timeout)
                mapfile -t COMPREPLY < <(compgen -W '500ms 2s 10s 1min' -- "$cur")
                ;;
        --format)
                mapfile -t COMPREPLY < <(compgen -W 'text dot svg' -- "$cur")
                ;;
        --color)
                mapfile -t COMPREPLY < <(compgen -W 'auto always never' -- "$cur")
                ;;
        *)
                if [[ $cur == -* ]]; then
                        mapfile -t COMPREPLY < <(compgen -W "$long $short" -- "$cur")
                else
                        mapfile -t COMPREPLY < <(compgen -W "$(_pwhy_targets)" -- "$cur")
                fi
                ;;
        esac
}

complete -F _pwhy pwhy
