package com.example.greetings;

import org.springframework.beans.factory.annotation.Value;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@RestController
class Greeter {
    @Value("${greeting:Hello}")
    private String greeting;

    @Value("${dyno:no dyno}")
    private String dyno;

    @GetMapping("/")
    String greet() {
        return greeting + " from Spring Boot in " + dyno + "\n";
    }
}
