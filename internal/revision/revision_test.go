package revision_test

import (
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"thump/internal/revision"
)

func open(t *testing.T, dir string) *revision.Log {
	t.Helper()
	l, err := revision.Open(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func fine() error { return nil }

// TestApply: what cannot be put in force, or not be kept, leaves the file as it was.
func TestApply(t *testing.T) {
	dir := t.TempDir()
	l, path := open(t, dir), filepath.Join(dir, "sub", "a.yml")
	one, two := "one\n", "two\n"
	if r, err := l.Apply(path, revision.Revision{File: "a.yml", After: &one}, fine); err != nil || r.ID != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	bad := errors.New("bad")
	if _, err := l.Apply(path, revision.Revision{File: "a.yml", Before: &one, After: &two}, func() error { return bad }); !errors.Is(err, bad) {
		t.Errorf("not in force: %v", err)
	}
	expectFile(t, path, one)

	if err := os.Mkdir(filepath.Join(dir, "log.tmp"), 0o700); err != nil { // where the log is written
		t.Fatal(err)
	}
	forced := 0
	_, err := l.Apply(path, revision.Revision{File: "a.yml", Before: &one, After: &two}, func() error { forced++; return nil })
	if err == nil || forced != 2 {
		t.Errorf("not kept: %v, put in force %d times, want there and back", err, forced)
	}
	expectFile(t, path, one)
	if n := len(open(t, dir).Of("")); n != 1 {
		t.Errorf("%d revisions, want the one that was made", n)
	}
}

func expectFile(t *testing.T, path, want string) {
	t.Helper()
	if got, err := revision.Content(path); err != nil || got == nil || *got != want {
		t.Errorf("%s holds %v, %v; want %q", path, got, err, want)
	}
}

// TestBound: the oldest changes go first, and numbers go on.
func TestBound(t *testing.T) {
	dir := t.TempDir()
	l, path := open(t, dir), filepath.Join(dir, "a.yml")
	large := strings.Repeat("x", 23<<20)
	for i := range 3 {
		if r, err := l.Apply(path, revision.Revision{File: "a.yml", After: &large}, fine); err != nil || r.ID != i+1 {
			t.Fatalf("%d: %d, %v", i, r.ID, err)
		}
	}
	kept := open(t, dir).Of("a.yml")
	if len(kept) != 2 || kept[0].ID != 3 {
		t.Errorf("%d kept, the newest %d", len(kept), kept[0].ID)
	}
	if _, ok := open(t, dir).Get(1); ok {
		t.Error("the oldest is still there")
	}
}

func TestDiff(t *testing.T) {
	a, b, empty := "one\ntwo\nthree\n", "one\n2\nthree\n", ""
	tests := []struct {
		before, after *string
		want          string
	}{
		{&a, &b, "--- before\n+++ after\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n"},
		{nil, &a, "--- before\n+++ after\n@@ -0,0 +1,3 @@\n+one\n+two\n+three\n"},
		{&a, nil, "--- before\n+++ after\n@@ -1,3 +0,0 @@\n-one\n-two\n-three\n"},
		{&a, &a, ""},
		{nil, &empty, ""},
	}
	for _, tt := range tests {
		if got := revision.Diff(tt.before, tt.after); got != tt.want {
			t.Errorf("got\n%s\nwant\n%s", got, tt.want)
		}
	}
}

func TestExpected(t *testing.T) {
	content := "x"
	tag := revision.ETag(content)
	tests := []struct {
		header, value string
		content       *string
		ok            bool
	}{
		{"", "", &content, true},
		{"If-Match", tag, &content, true},
		{"If-Match", `"other", ` + tag, &content, true},
		{"If-Match", `"other"`, &content, false},
		{"If-Match", "*", &content, true},
		{"If-Match", "*", nil, false},
		{"If-Match", tag, nil, false},
		{"If-None-Match", "*", nil, true},
		{"If-None-Match", "*", &content, false},
		{"If-None-Match", tag, &content, false},
	}
	for _, tt := range tests {
		r := httptest.NewRequest("PUT", "/", nil)
		if tt.header != "" {
			r.Header.Set(tt.header, tt.value)
		}
		if err := revision.Expected(r, tt.content); (err == nil) != tt.ok {
			t.Errorf("%s: %s of %v: %v", tt.header, tt.value, tt.content, err)
		}
	}
}
