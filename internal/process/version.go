package process

// Version of the program; the build sets it.
var Version = "dev"
