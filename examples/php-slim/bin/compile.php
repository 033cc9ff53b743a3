<?php
// Runs in the build: what it writes is a part of the app.
file_put_contents(__DIR__ . '/../built.txt', 'with PHP ' . PHP_MAJOR_VERSION . '.' . PHP_MINOR_VERSION);
echo "Wrote built.txt\n";
