<?php

use Greetings\Greeting;
use Slim\App;

require __DIR__ . '/../vendor/autoload.php';

$app = new App();

$app->get('/', function ($request, $response) {
    return $response->write('<p>' . Greeting::text($_ENV['DYNO'] ?? 'no dyno') . '</p>');
});
$app->get('/built', function ($request, $response) {
    return $response->write(file_get_contents(__DIR__ . '/../built.txt'));
});
$app->get('/sum/{a}/{b}', function ($request, $response, $arguments) {
    return $response->write(bcadd($arguments['a'], $arguments['b']));
});
$app->get('/log', function ($request, $response) {
    error_log('a line of the app');
    return $response->withJson(['memory' => ini_get('memory_limit')]);
});

$app->run();
