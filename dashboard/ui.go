package dashboard

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"strings"
	"time"
)

// dist is what `npm run build` leaves in web/dist. Without a build it holds
// .gitkeep alone.
//
//go:embed all:web/dist
var dist embed.FS

// contentSecurityPolicy allows scripts and connections of this origin only.
// Styles may be inline, since Mantine writes its theme into the page.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self'; connect-src 'self'; manifest-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const notBuilt = `<!doctype html><html lang="en"><meta charset="utf-8"><title>thump</title>
<h1>UI not built: run make build</h1>
<p>The APIs of this address work; the page is missing from this binary.</p></html>
`

// asset is one file of the UI in memory.
type asset struct {
	body, gzip  []byte // gzip is nil if the build left none
	contentType string
	etag        string
	cache       string
}

// ui serves the single page and its assets.
type ui struct {
	files map[string]*asset // by URL path
	index *asset
}

func newUI(dist fs.FS) (*ui, error) {
	root, err := fs.Sub(dist, "web/dist")
	if err != nil {
		return nil, err
	}
	u := &ui{files: map[string]*asset{}}
	err = fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasSuffix(name, ".gz") || strings.HasPrefix(d.Name(), ".") {
			return err
		}
		u.files["/"+name], err = readAsset(root, name)
		return err
	})
	u.index = u.files["/index.html"]
	delete(u.files, "/index.html")
	return u, err
}

func readAsset(root fs.FS, name string) (*asset, error) {
	body, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(body)
	a := &asset{
		body:        body,
		contentType: mime.TypeByExtension(path.Ext(name)),
		etag:        `"` + hex.EncodeToString(sum[:8]) + `"`,
		cache:       "no-cache",
	}
	if strings.HasPrefix(name, "assets/") { // their names hold a hash of their content
		a.cache = "public, max-age=31536000, immutable"
	}
	if gz, err := fs.ReadFile(root, name+".gz"); err == nil {
		a.gzip = gz
	}
	return a, nil
}

// ServeHTTP implements http.Handler.
func (u *ui) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentSecurityPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		h.Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	switch a := u.files[r.URL.Path]; {
	case a != nil:
		a.serve(w, r)
	case !isPage(r.URL.Path):
		http.NotFound(w, r)
	case u.index == nil:
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = w.Write([]byte(notBuilt))
	default:
		u.index.serve(w, r)
	}
}

// isPage tells whether the single page has a view at this path.
func isPage(p string) bool {
	switch strings.TrimSuffix(p, "/") {
	case "", "/alerts", "/agents", "/explore", "/broker":
		return true
	}
	return strings.HasPrefix(p, "/hosts/")
}

func (a *asset) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", a.contentType)
	h.Set("Cache-Control", a.cache)
	h.Set("Vary", "Accept-Encoding")
	body, etag := a.body, a.etag
	if a.gzip != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body, etag = a.gzip, strings.TrimSuffix(etag, `"`)+`-gz"`
	}
	h.Set("ETag", etag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(body))
}
