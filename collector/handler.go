package collector

import (
	"net/http"

	"thump/collector/receive"
)

func newHandler(api, federation http.Handler, ways *receive.Receiver, c *Collector) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/api/v1/", api)
	mux.Handle("GET /federate", federation)
	ways.Register(mux)
	c.registerFleet(mux)
	c.registerEdits(mux)
	return mux
}
