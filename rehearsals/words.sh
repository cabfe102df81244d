# The words that the steps of a rehearsal use besides `agent-team` and the shell. Steps run in the team's folder.
# Nothing here sleeps to give others time: what is waited for is asked for until it is so, or the minute is over.

# starts COMMAND...: in the background. What it prints is kept for `printed` and `said`.
starts() {
    "$@" >"$HOME/printed" 2>"$HOME/said" &
    run=$!
}

# ends CODE: what was started ends by itself, with this exit code.
ends() {
    local code=0
    wait "$run" || code=$?
    run=
    [ "$code" -eq "$1" ] || fails "the run ended with $code, and not with $1:
$(cat "$HOME/said")"
}

# printed JQ: what was started printed such JSON.
printed() { jq -e "$1" "$HOME/printed" >/dev/null || fails "it printed no JSON with $1: $(cat "$HOME/printed")"; }

# said WORDS: what was started said this on the way.
said() { grep -qF -- "$1" "$HOME/said" || fails "it did not say \`$1\`: $(cat "$HOME/said")"; }

# shows JQ COMMAND...: the command's --json holds this, now.
shows() {
    local holds=$1 json
    shift
    json=$("$@" --json)
    jq -e "$holds" <<<"$json" >/dev/null || fails "$* does not show $holds: $json"
}

# waits_for JQ COMMAND...: the command's --json holds this, in a minute at most.
waits_for() {
    local holds=$1 json until=$((SECONDS + 60))
    shift
    until json=$("$@" --json) && jq -e "$holds" <<<"$json" >/dev/null; do
        [ "$SECONDS" -lt "$until" ] || fails "$* never came to show $holds: $json"
        sleep 0.05
    done
}

# refuses CODE COMMAND...: the command ends with this exit code.
refuses() {
    local wanted=$1 code=0
    shift
    "$@" >"$HOME/refused" 2>&1 || code=$?
    [ "$code" -eq "$wanted" ] || fails "$* ended with $code, and not with $wanted: $(cat "$HOME/refused")"
}

# told TASK WORDS: whoever worked on the task was told this, in one of its attempts.
told() {
    local token
    for token in $(agent-team show "$1" --json | jq -r '.claims[].token'); do
        grep -qsF -- "$2" ".agent-team/attempts/$token/transcript.jsonl" && return 0
    done
    fails "nobody was told \`$2\` at $1"
}

# obeys RULE...: the checker, which reads only the log, finds no rule broken, and has seen these.
obeys() {
    local checked rule
    checked=$(agent-team-faults check .agent-team/log.jsonl --json) || fails "a rule is broken: $checked"
    for rule in "$@"; do
        jq -e --arg rule "$rule" '.rules[] | select(.rule == $rule) | .held + .without_effect > 0' \
            <<<"$checked" >/dev/null || fails "the log shows nothing of the rule $rule"
    done
}

fails() {
    echo "$1" >&2
    exit 1
}

# Whatever happens, nothing is left behind.
leave() {
    if [ -n "${run:-}" ]; then kill -9 "$run" 2>/dev/null || true; fi
}
run=
trap leave EXIT
