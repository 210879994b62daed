// Package enrolment lets hosts in. It keeps tokens and the hosts that have joined
// by them, answers agents that join or leave over the bus, gives each a login of
// its own on the broker, and signs remote commands. Whoever runs the server asks
// it over a socket in the data folder: who can enter that folder could read the
// keys in it, so the socket needs no login of its own.
//
// A token is a login too: the broker checks its secret, slows guesses down, and
// vouches for the token that a host's question comes from. Nothing of the secret is
// kept here.
package enrolment
