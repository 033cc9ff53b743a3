export PATH="$PATH:$HOME/target/release"
