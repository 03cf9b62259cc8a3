//go:build unix

// Package slaprobe_test reads evidence beside the real Prometheus and its blackbox exporter.
package slaprobe_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla/meter"
	"github.com/cloudopsec/opsec/sla/metric"
	"github.com/cloudopsec/opsec/sla/timeline"
)

// need skips a test where a program is absent, and fails it where CI=true.
func need(t *testing.T, programs ...string) {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal(err)
			}
			t.Skip(err)
		}
	}
}

// log is what a program wrote to its standard error.
type log struct {
	sync.Mutex
	bytes.Buffer
}

func (l *log) text() []byte {
	l.Lock()
	defer l.Unlock()
	return bytes.Clone(l.Bytes())
}

var listening = regexp.MustCompile(`msg="Listening on" address=(\S+)|"address":"([^"]+)".*"msg":"Listening on"`)

// start starts a program that listens on a port of its choice, and returns its address and its log. It ends with the test.
func start(t *testing.T, program string, args ...string) (address string, out *log) {
	t.Helper()
	cmd := exec.Command(program, append(args, "--web.listen-address=127.0.0.1:0")...)
	cmd.Dir = t.TempDir()
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	out = &log{}
	found, ended := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(ended)
		for lines := bufio.NewScanner(stderr); lines.Scan(); {
			out.Lock()
			out.Write(lines.Bytes())
			out.WriteByte('\n')
			out.Unlock()
			if m := listening.FindSubmatch(lines.Bytes()); m != nil {
				select {
				case found <- string(m[1]) + string(m[2]):
				default:
				}
			}
		}
	}()
	t.Cleanup(func() {
		cmd.Process.Signal(syscall.SIGTERM)
		late := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		<-ended
		cmd.Wait()
		late.Stop()
	})
	select {
	case address = <-found:
	case <-ended:
		t.Fatalf("%s: %s", program, out.text())
	case <-time.After(60 * time.Second):
		t.Fatalf("%s does not listen: %s", program, out.text())
	}
	return address, out
}

// prometheus starts the server with a configuration, upon what is in a folder, and returns its URL once it is ready.
func prometheus(t *testing.T, config, data string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "prometheus.yml")
	require.NoError(t, os.WriteFile(file, []byte(config), 0o644))
	address, out := start(t, "prometheus", "--config.file="+file, "--storage.tsdb.path="+data, "--storage.tsdb.retention.time=100y")
	base := "http://" + address
	require.Eventually(t, func() bool {
		res, err := http.Get(base + "/-/ready")
		if err != nil {
			return false
		}
		res.Body.Close()
		return res.StatusCode == http.StatusOK
	}, 60*time.Second, 50*time.Millisecond, "%s", out.text)
	return base
}

// value returns what an expression is at a moment: of each resource.
func value(t *testing.T, base, expr string, at int64) map[string]float64 {
	t.Helper()
	res, err := http.PostForm(base+"/api/v1/query", url.Values{"query": {expr}, "time": {strconv.FormatFloat(float64(at)/1000, 'f', 3, 64)}})
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	var answer struct {
		Status string
		Data   struct {
			Result []struct {
				Metric struct{ Instance string }
				Value  [2]any
			}
		}
	}
	require.NoError(t, json.Unmarshal(body, &answer), "%s", body)
	require.Equal(t, "success", answer.Status, "%s", body)
	all := map[string]float64{}
	for _, r := range answer.Data.Result {
		v, err := strconv.ParseFloat(r.Value[1].(string), 64)
		require.NoError(t, err)
		all[r.Metric.Instance] = v
	}
	return all
}

// measure adds evidence to a meter and measures each resource.
func measure(t *testing.T, o metric.Objective, period timeline.Span, list []meter.Evidence) map[string]metric.Tally {
	t.Helper()
	m := meter.New()
	for _, e := range list {
		require.NoError(t, m.Add(e))
	}
	all := map[string]metric.Tally{}
	m.Resources(period, func(resource string, in metric.Input) bool {
		r, err := o.Measure(in, period)
		require.NoError(t, err)
		all[resource] = r.Counted
		return true
	})
	return all
}

func until(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
