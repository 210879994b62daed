// Package dashboard is the last stage for whoever watches: it reads the stream
// of metrics through an exclusive queue of its own, keeps the latest value of
// every series, and fans each message out to browsers over server-sent events.
// It serves the built-in web UI and mounts the APIs of history and alerting
// beside it. It stores nothing: without it no sample is missing anywhere.
//
// # The stream
//
// GET /api/live follows all hosts, GET /api/live?host=NAME one of them. Every
// event has an id and a JSON object as data:
//
//	snapshot  {"now","link","hosts":[row…]}                     all hosts: at once, and after frames were lost
//	          {"now","link","host":row,"intervals":{probe:ms},"series":[[ref,name,labels,time,value]…]}   one host
//	hosts     {"hosts":[row…]}                                  rows that changed, of all hosts or of the one
//	samples   {"host","probe","interval","time","series":[[ref,name,labels]…],"values":[ref,value,…]}
//	          one message of the host; series only those not told before
//	link      {"up":bool}                                       the bus is cut, or back
//	pulse     {"now","samples_per_second","hosts"}              every second
//
// A row is {"name","group","seen","interval","silent","cpu","memory","disk",
// "disk_at","load","cores","receive","transmit"}, in snapshots with "spark",
// {"end","step","cpu":[…]}. Times are Unix milliseconds, interval and step too; cpu,
// memory and disk are ratios, receive and transmit bytes per second; null is
// not known. The labels of a series leave out instance, group and job="node",
// which its host has.
package dashboard
