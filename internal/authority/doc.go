// Package authority is thump's own certificate authority: a CA that is made when
// it is first needed, the server's certificate that it vouches for, and the key
// that signs what agents are told to run. Its folder holds
//
//	ca.pem      key and certificate of the CA
//	ca.crt      the certificate of the CA alone, for whoever is to trust it
//	server.pem  key and certificate of the server
//	command.pem key that signs remote commands (ed25519)
//
// each written whole or not at all, and readable by its owner only, except ca.crt,
// which is no secret.
//
// Who connects for the first time knows the CA by its pin: sha256 of its public
// key (SubjectPublicKeyInfo), which stays the same for as long as the key does.
package authority
