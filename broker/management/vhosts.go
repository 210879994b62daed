package management

import (
	"net/http"

	"thump/broker/vhost"
)

// visible are the virtual hosts that the user may see.
func (s *Server) visible(c *call) ([]*vhost.VHost, error) {
	all := s.broker.VHosts()
	if c.vhost != nil {
		return []*vhost.VHost{c.vhost}, nil
	}
	if c.has("monitoring", "administrator") {
		return all, nil
	}
	var seen []*vhost.VHost
	for _, v := range all {
		ok, err := s.mayVisit(c.user.Name, v.Name())
		if err != nil {
			return nil, err
		}
		if ok {
			seen = append(seen, v)
		}
	}
	return seen, nil
}

func (s *Server) vhosts(c *call) (any, error) {
	seen, err := s.visible(c)
	if err != nil {
		return nil, err
	}
	var items []object
	for _, v := range seen {
		items = append(items, s.vhostObject(v))
	}
	return list(c, items)
}

func (s *Server) oneVHost(c *call) (any, error) { return s.vhostObject(c.vhost), nil }

func (s *Server) vhostObject(v *vhost.VHost) object {
	state := v.State()
	o := object{
		"name": v.Name(), "description": "", "tags": []string{}, "default_queue_type": "classic", "tracing": false,
		"metadata": object{"description": "", "tags": []string{}}, "cluster_state": object{s.node: "running"},
	}
	s.rates.put(o, key("vhost lengths", v.Name()), lengths(state.Ready, state.Unacked))
	s.rates.putMessages(o, key("vhost", v.Name()), vhostStats(state, v.Exchanges()))
	var received, sent int64
	for _, c := range s.broker.Details() {
		if c.VHost == v.Name() {
			received += int64(c.Received)
			sent += int64(c.Sent)
		}
	}
	o["recv_oct"], o["send_oct"] = received, sent
	return o
}

func (s *Server) putVHost(c *call) (any, error) {
	name := c.part("name")
	if _, err := c.body(); err != nil {
		return nil, err
	}
	_, exists := s.broker.VHost(name)
	if err := s.createVHost(c, name); err != nil {
		return nil, err
	}
	if exists {
		return nil, nil
	}
	return created{}, nil
}

func (s *Server) deleteVHost(c *call) (any, error) {
	if _, ok := s.broker.VHost(c.part("name")); !ok {
		return nil, notFound()
	}
	return nil, s.broker.DeleteVHost(c.part("name"))
}

// aliveness declares a queue, publishes to it and gets the message back.
func (s *Server) aliveness(c *call) (any, error) {
	const queue = "aliveness-test"
	if _, err := c.vhost.DeclareQueue(vhost.QueueSpec{Name: queue}, nil); err != nil {
		return nil, err
	}
	m := &vhost.Message{Key: queue, Header: []byte{0, 0}, Body: []byte("test_message")}
	if _, _, err := c.vhost.Publish(m); err != nil {
		return nil, err
	}
	if _, _, ok, err := c.vhost.Get(queue, true, nil); err != nil || !ok {
		return nil, &failure{http.StatusInternalServerError, "aliveness_test_failed", "the message did not come back"}
	}
	return object{"status": "ok"}, nil
}
