// Package streams is what the bus needs of Redis and nothing more: streams with
// consumer groups for what must not be lost, channels for what is live or
// nothing, leases by which consumers know who is alive, and one small table. It
// knows nothing of exchanges.
//
// All keys and channels of one pipeline begin with {thump}: the hash tag keeps
// them on one node of a Redis Cluster, so that a message enters several streams
// and reaches its channels in one atomic step. What a step must decide by what
// is in Redis is a Lua script in scripts.go.
package streams
