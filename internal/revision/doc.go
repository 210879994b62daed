// Package revision keeps who changed which file over an API: what it was before,
// what it is after, and why. A change that cannot be put in force, or not be
// kept, leaves the file as it was.
package revision
