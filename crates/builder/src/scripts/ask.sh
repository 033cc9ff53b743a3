# Asks what is to be done next: sends the files in $message; the answer's are in $order then.
questions=0
ask() {
    local archive=$message.tar
    tar -C "$message" -c . > "$archive" || return 1
    { stat --format %s "$archive" && cat "$archive"; } > /kigo/pipes/ask || return 1
    IFS= read -r -N 1 _ < /kigo/pipes/answer || return 1
    questions=$((questions + 1))
    order=/kigo/answers/$questions
    rm -rf "$message" && mkdir "$message"
}
