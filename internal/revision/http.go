package revision

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
)

// Author is who asks: the login if there is one, else who they say they are.
func Author(r *http.Request, said string) string {
	if user, _, ok := r.BasicAuth(); ok && user != "" {
		return user
	}
	if said != "" {
		return said
	}
	return "somebody at " + r.RemoteAddr[:max(0, strings.LastIndexByte(r.RemoteAddr, ':'))]
}

// ErrConflict says that a file is not any more what the caller has seen of it.
var ErrConflict = errors.New("somebody has changed the file meanwhile: read it again")

// ETag names a content as HTTP does.
func ETag(content string) string {
	sum := sha256.Sum256([]byte(content))
	return `"` + hex.EncodeToString(sum[:12]) + `"`
}

// Expected checks If-Match and If-None-Match of a request that changes a file
// with this content; nil: there is no such file. A request without them wants
// the change whatever the file is. (RFC 9110 §13.1)
func Expected(r *http.Request, content *string) error {
	if want := r.Header.Get("If-Match"); want != "" && !matches(want, content) {
		return ErrConflict
	}
	if unwanted := r.Header.Get("If-None-Match"); unwanted != "" && matches(unwanted, content) {
		return ErrConflict
	}
	return nil
}

func matches(tags string, content *string) bool {
	if content == nil {
		return false
	}
	for tag := range strings.SplitSeq(tags, ",") {
		if tag = strings.TrimSpace(tag); tag == "*" || tag == ETag(*content) {
			return true
		}
	}
	return false
}
