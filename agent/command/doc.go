// Package command runs what the server's operator asks for, as far as the agent's
// own configuration allows it: a request is run only if the server's key has signed
// it, it is meant for this host, it is fresh, it has not been seen before, and a
// line of the allow-list matches it word by word. No shell reads it.
package command
