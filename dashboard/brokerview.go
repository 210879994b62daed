package dashboard

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"time"
)

// brokerPath is where pages ask about the broker.
const brokerPath = "/api/broker/"

// brokerLists are what pages may ask of the broker's management API: what it
// lists, nothing that it does.
var brokerLists = map[string]bool{
	"overview": true, "nodes": true, "exchanges": true, "queues": true, "bindings": true,
	"connections": true, "channels": true, "consumers": true,
}

// newBrokerView answers GET /api/broker/LIST with what the management API of the
// broker, thump's or RabbitMQ's, answers to GET /api/LIST. The user and the
// password in its URL stay here: a page neither sees nor sends them.
func newBrokerView(management string) (http.Handler, error) {
	if management == "" {
		return refuse(http.StatusServiceUnavailable, "no management API is configured: start the dashboard with --management-url http://USER:PASSWORD@HOST:15672"), nil
	}
	u, err := url.Parse(management)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, errors.New("dashboard: management_url: want http://USER:PASSWORD@HOST:15672") // what it is may hold a password
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { askManagement(r, u) },
		ModifyResponse: explainRefusal,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			refuse(http.StatusBadGateway, "the broker's management API at "+u.Host+" does not answer: "+err.Error()).ServeHTTP(w, r)
		},
		Transport: &http.Transport{ResponseHeaderTimeout: 10 * time.Second, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute},
	}
	return listsOnly(proxy), nil
}

func listsOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case !brokerLists[strings.TrimPrefix(r.URL.Path, brokerPath)]:
			refuse(http.StatusNotFound, "no such list of the broker").ServeHTTP(w, r)
		case r.Method != http.MethodGet:
			w.Header().Set("Allow", http.MethodGet)
			refuse(http.StatusMethodNotAllowed, "the broker can only be looked at here").ServeHTTP(w, r)
		default:
			next.ServeHTTP(w, r)
		}
	})
}

// askManagement makes the page's request ours: nothing of it but the list goes on.
func askManagement(r *httputil.ProxyRequest, u *url.URL) {
	list := strings.TrimPrefix(r.In.URL.Path, brokerPath)
	r.Out.URL = &url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimSuffix(u.Path, "/") + "/api/" + list}
	r.Out.Host = u.Host
	r.Out.Header = http.Header{"Accept": {"application/json"}}
	if u.User != nil {
		password, _ := u.User.Password()
		r.Out.SetBasicAuth(u.User.Username(), password)
	}
}

// explainRefusal: a browser that saw the broker's 401 would ask for a password.
func explainRefusal(res *http.Response) error {
	if res.StatusCode == http.StatusUnauthorized || res.StatusCode == http.StatusForbidden {
		return fmt.Errorf("it refuses the user of management_url (HTTP %d)", res.StatusCode)
	}
	return nil
}
