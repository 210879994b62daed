<?php
// PHP's client php-amqplib: what it sees, one line for each step.
require_once 'PhpAmqpLib/autoload.php';

use PhpAmqpLib\Connection\AMQPStreamConnection;
use PhpAmqpLib\Exception\AMQPProtocolException;
use PhpAmqpLib\Message\AMQPMessage;
use PhpAmqpLib\Wire\AMQPTable;

function show(string $step, ...$seen): void
{
    echo $step . ': ' . implode(' ', array_map('json_encode', $seen)) . "\n";
}

function connect(string $password = 'guest'): AMQPStreamConnection
{
    global $argv;
    return new AMQPStreamConnection('127.0.0.1', (int) $argv[1], 'guest', $password);
}

function attempt(string $step, callable $action): void
{
    $connection = connect();
    try {
        show($step, $action($connection->channel()));
    } catch (AMQPProtocolException $e) {
        show($step, get_class($e), $e->getCode(), $e->getMessage());
    }
    try {
        $connection->close();
    } catch (Exception $e) { // it is closed already
    }
}

function properties(AMQPMessage $m): array
{
    $all = $m->get_properties();
    if (isset($all['application_headers'])) {
        $all['application_headers'] = $all['application_headers']->getNativeData();
    }
    ksort($all);
    return $all;
}

$connection = connect();
$channel = $connection->channel();
show('declare', $channel->queue_declare('php', false, true, false, false, false, new AMQPTable(['x-max-length' => 10])));
$channel->confirm_select();
$acked = $nacked = 0;
$channel->set_ack_handler(function () use (&$acked) { $acked++; });
$channel->set_nack_handler(function () use (&$nacked) { $nacked++; });
for ($i = 0; $i < 5; $i++) {
    $channel->basic_publish(new AMQPMessage("message $i", [
        'delivery_mode' => 2, 'content_type' => 'text/plain', 'priority' => 3, 'timestamp' => 1700000000,
        'application_headers' => new AMQPTable(['n' => $i, 'f' => 1.5, 't' => true, 'none' => null, 'l' => [1, 'a'], 'd' => ['x' => 'y']]),
    ]), '', 'php');
}
$channel->wait_for_pending_acks(30);
show('confirmed', $acked, $nacked);
$m = $channel->basic_get('php');
show('get', $m->getBody(), $m->isRedelivered(), $m->getDeliveryTag(), $m->getMessageCount(), properties($m));
$m->nack(true);
$m = $channel->basic_get('php');
show('get again', $m->getBody(), $m->isRedelivered());
$m->ack();

$channel->basic_qos(0, 2, false);
$seen = [];
$tag = $channel->basic_consume('php', '', false, false, false, false, function (AMQPMessage $m) use (&$seen) { $seen[] = $m; });
while (count($seen) < 2) {
    $channel->wait(null, false, 30);
}
show('prefetch', array_map(fn ($m) => $m->getBody(), $seen));
foreach ($seen as $m) {
    $m->ack();
}
while (count($seen) < 4) {
    $channel->wait(null, false, 30);
}
show('consumed', array_map(fn ($m) => [$m->getBody(), $m->isRedelivered()], $seen));
$seen[2]->reject(false);
$seen[3]->ack();
show('cancel', $channel->basic_cancel($tag) === $tag);
show('left', $channel->queue_declare('php', true));

$channel->set_return_listener(function ($code, $text, $exchange, $key, $m) { show('returned', $code, $text, $exchange, $key, $m->getBody()); });
$channel->basic_publish(new AMQPMessage('lost'), 'amq.direct', 'nowhere', true);
$channel->wait_for_pending_acks_returns(30);

$channel->exchange_declare('php.headers', 'headers', false, false, true);
[$tap] = $channel->queue_declare('', false, false, true);
$channel->queue_bind($tap, 'php.headers', '', false, new AMQPTable(['x-match' => 'any', 'a' => 1, 'f' => 1.0]));
foreach ([['a' => 1], ['a' => 1.0], ['f' => 1.0], ['f' => 1], ['b' => 1]] as $headers) {
    $channel->basic_publish(new AMQPMessage(json_encode($headers), ['application_headers' => new AMQPTable($headers)]), 'php.headers');
    $channel->wait_for_pending_acks(30);
    $m = $channel->basic_get($tap, true);
    show('headers', $headers, $m !== null);
}

attempt('another length', fn ($c) => $c->queue_declare('php', false, true, false, false, false, new AMQPTable(['x-max-length' => 11])));
attempt('a float as length', fn ($c) => $c->queue_declare('php.bad', false, false, false, false, false, new AMQPTable(['x-max-length' => 1.5])));
attempt('missing queue', fn ($c) => $c->queue_declare('missing', true));
attempt('missing exchange', fn ($c) => $c->basic_consume('missing', '', false, false, false, false, null));
attempt("another's exclusive queue", fn ($c) => $c->queue_declare($tap, true) ? 'declared' : '');
attempt('transaction', function ($c) {
    $c->tx_select();
    $c->basic_publish(new AMQPMessage('in a transaction'), '', 'php');
    $c->tx_commit();
    return $c->queue_declare('php', true);
});
attempt('unknown tag', function ($c) {
    $c->basic_ack(7);
    return $c->queue_declare('php', true);
});
try {
    connect('wrong');
} catch (Exception $e) {
    show('wrong password', get_class($e), $e->getMessage());
}
show('delete', $channel->queue_delete('php'));
$connection->close();
