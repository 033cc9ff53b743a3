# Run by a shell inside the new root, once the packages for dynos are installed.
set -eu
printf 'dyno:x:1000:\n' >> /etc/group
printf 'dyno:x:1000:1000::/app:/bin/bash\n' >> /etc/passwd
printf 'dyno:*:20000:0:99999:7:::\n' >> /etc/shadow
mkdir -p /app
chown 1000:1000 /app
chmod 0755 /app
printf 'APT::Install-Recommends "false";\n' > /etc/apt/apt.conf.d/90kigo
# Heroku's prompt, `~ $ ` with the directory in blue, after Debian's own. It cannot come by the
# environment: a shell that runs a command takes PS1 away.
cat >> /etc/bash.bashrc <<'END'
PS1='\[\033[01;34m\]\w\[\033[00m\] \[\033[01;32m\]$ \[\033[00m\]'
END
