# Run by a shell inside the new root, once the packages for dynos are installed.
set -eu
printf 'dyno:x:1000:\n' >> /etc/group
printf 'dyno:x:1000:1000::/app:/bin/bash\n' >> /etc/passwd
printf 'dyno:*:20000:0:99999:7:::\n' >> /etc/shadow
mkdir -p /app
chown 1000:1000 /app
chmod 0755 /app
printf 'APT::Install-Recommends "false";\n' > /etc/apt/apt.conf.d/90kigo
