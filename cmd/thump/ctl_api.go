package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// managementAPI is the client's side of the management API.
type managementAPI struct{ url, user, password string }

// apiTimeout bounds one request.
const apiTimeout = time.Minute

// apiError is an answer other than success.
type apiError struct {
	status int
	reason string
}

func (e *apiError) Error() string { return e.reason }

// status returns the status of an answer that was no success, else 0.
func statusOf(err error) int {
	if e := new(apiError); errors.As(err, &e) {
		return e.status
	}
	return 0
}

// path joins segments, each escaped.
func path(segments ...string) string {
	p := "/api"
	for _, s := range segments {
		p += "/" + url.PathEscape(s)
	}
	return p
}

func (a *managementAPI) get(ctx context.Context, path string, into any) error {
	return a.do(ctx, http.MethodGet, path, nil, into)
}

// do sends body as JSON unless it is nil, or as it is if it is bytes, and decodes
// the answer unless into is nil.
func (a *managementAPI) do(ctx context.Context, method, path string, body, into any) error {
	ctx, cancel := context.WithTimeout(ctx, apiTimeout)
	defer cancel()
	content, ok := body.([]byte)
	if !ok && body != nil {
		var err error
		if content, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode request: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, strings.TrimRight(a.url, "/")+path, bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("--node %s: %w", a.url, err)
	}
	req.SetBasicAuth(a.user, a.password)
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("cannot reach the management API (--node %s): %w", a.url, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if res.StatusCode >= http.StatusBadRequest {
		return refusal(res, answer)
	}
	if into == nil || len(answer) == 0 {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(answer))
	d.UseNumber()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("decode answer to %s: %w", path, err)
	}
	return nil
}

func refusal(res *http.Response, answer []byte) error {
	var said struct{ Reason any }
	if err := json.Unmarshal(answer, &said); err != nil || said.Reason == nil {
		return &apiError{res.StatusCode, res.Status}
	}
	if text, ok := said.Reason.(string); ok {
		return &apiError{res.StatusCode, text}
	}
	return &apiError{res.StatusCode, fmt.Sprint(said.Reason)}
}
