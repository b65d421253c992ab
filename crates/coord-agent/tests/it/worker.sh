# A worker for tests: speaks stream-json and does what the briefing says, one word at a time.
# GATE names a file; `wait` waits until it is there. RAN names a file that counts the starts.
prompt=$(cat)
if [ -n "$RAN" ]; then echo started >> "$RAN"; fi
export GIT_AUTHOR_NAME=w GIT_AUTHOR_EMAIL=w@example.invalid
export GIT_COMMITTER_NAME=w GIT_COMMITTER_EMAIL=w@example.invalid
n=0
answer=
say() { printf '%s\n' "$1"; }
text() { n=$((n+1)); say '{"type":"assistant","session_id":"s-1","message":{"id":"m'$n'","model":"claude-test","content":[{"type":"text","text":"'"$1"'"}]}}'; }
edit() { n=$((n+1)); say '{"type":"assistant","session_id":"s-1","message":{"id":"m'$n'","model":"claude-test","content":[{"type":"tool_use","id":"t'$n'","name":"Write","input":{"file_path":"'"$PWD/$1"'"}}]}}'; }
spend() { n=$((n+1)); say '{"type":"assistant","session_id":"s-1","message":{"id":"m'$n'","model":"claude-opus-5-5","content":[],"usage":{"input_tokens":100000,"output_tokens":1}}}'; }
result() { say '{"type":"result","subtype":"success","is_error":'"$1"',"terminal_reason":"completed","session_id":"s-1","total_cost_usd":0.25,"num_turns":'$n',"result":"ok"'"$answer"'}'; }
say '{"type":"system","subtype":"init","session_id":"s-1","model":"claude-test","cwd":"'"$PWD"'","tools":[]}'
for word in $prompt; do
  case "$word" in
    do-commit) edit hello.txt; echo hello > hello.txt; git add hello.txt; git commit -q -m hello; text 'STATUS: committed' ;;
    do-leave) echo precious > uncommitted.txt ;;
    do-stuck) text 'STUCK: which colour?' ;;
    do-talk) i=0; while [ $i -lt 200 ]; do text "line $i größe €"; i=$((i+1)); done ;;
    do-wait) text 'STATUS: waiting'; while [ ! -e "$GATE" ]; do sleep 0.02; done ;;
    do-deaf) trap '' TERM; setsid sh -c 'trap "" TERM; sleep 600' & ;;
    do-fail) result true; exit 1 ;;
    do-env) printenv | cut -d= -f1 > seen-env.txt; git add seen-env.txt; git commit -q -m env ;;
    do-answer) answer=',"structured_output":{"verdict":"approve","findings":[]}' ;;
    do-exhaust) say '{"type":"result","subtype":"error_max_structured_output_retries","is_error":true,"terminal_reason":"structured_output_retry_exhausted","session_id":"s-1","errors":["nothing fits"]}'; exit 1 ;;
    do-hang) sleep 600 ;;
    do-spend) spend ;;
    do-rebase) git rebase -q -i origin/main ;;
    do-merge) git merge -q origin/main ;;
    do-die) kill -9 $$ ;;
    do-push) git push -q origin HEAD:refs/heads/pushed-by-worker || text 'STATUS: push refused' ;;
  esac
done
result false
