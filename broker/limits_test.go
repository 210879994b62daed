package broker_test

import (
	"fmt"
	"sync"
	"testing"

	amqp "github.com/rabbitmq/amqp091-go"

	"thump/broker/definitions"
)

// login connects as bob.
func (s *server) login() (*amqp.Connection, error) {
	return amqp.Dial(fmt.Sprintf("amqp://bob:pw@%s/", s.Addr()))
}

func TestLimitsOfAUser(t *testing.T) {
	s := start(t)
	must(t, s.AddUser("bob", "pw"))
	must(t, s.SetPermission("/", definitions.Permission{User: "bob", Configure: ".*", Write: ".*", Read: ".*"}))
	most, channels := 3, 2
	must(t, s.SetUserLimits("bob", definitions.UserLimits{MaxConnections: &most, MaxChannels: &channels}))
	must(t, s.AddUser("bob", "pw", "monitoring")) // the limits stay

	// All at once: exactly as many get in as may.
	var in []*amqp.Connection
	var mu sync.Mutex
	var dialing sync.WaitGroup
	for range 10 {
		dialing.Go(func() {
			conn, err := s.login()
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				wantException(t, err, 530, "NOT_ALLOWED - connection refused for user 'bob': user connection limit (3) is reached")
				return
			}
			in = append(in, conn)
		})
	}
	dialing.Wait()
	if len(in) != most {
		t.Fatalf("%d connections, want %d", len(in), most)
	}
	open(t, s.dial(t)) // guest has no limit

	open(t, in[0])
	open(t, in[1])
	_, err := in[2].Channel() // the user's, not the connection's
	wantException(t, err, 530, "NOT_ALLOWED - number of channels opened for user 'bob' has reached the maximum allowed user limit of (2)")
	none := -1
	must(t, s.SetUserLimits("bob", definitions.UserLimits{MaxConnections: &none})) // at once, for open connections too
	open(t, in[0])
	for range 5 {
		conn, err := s.login()
		must(t, err)
		defer conn.Close()
	}

	must(t, s.SetUserLimits("bob", definitions.UserLimits{MaxConnections: new(int)}))
	must(t, s.stop())
	s = startIn(t, s.dir)
	_, err = s.login()
	wantException(t, err, 530, "user connection limit (0) is reached")
}
