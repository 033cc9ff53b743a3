<?php

namespace Greetings;

final class Greeting
{
    public static function text(string $name): string
    {
        return "Hello from PHP in $name";
    }
}
