package etcd_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"
	"go.uber.org/zap"

	"github.com/cloudopsec/opsec/store"
	"github.com/cloudopsec/opsec/store/etcd"
	"github.com/cloudopsec/opsec/store/storetest"
	"github.com/cloudopsec/opsec/store/storetest/crashtest"
	"github.com/cloudopsec/opsec/store/storetest/history"
)

const serverVariable = "OPSEC_ETCD_TEST_SERVER" // of the environment: the directory of a server that is to be killed

func TestMain(m *testing.M) {
	if dir, ok := os.LookupEnv(serverVariable); ok {
		serve(dir)
		return
	}
	if history.Child(openPlace) || crashtest.Child(openPlace) {
		return
	}
	os.Exit(m.Run())
}

// serve is a process that is a server, until it is killed or its parent is gone.
func serve(dir string) {
	server, err := start(dir, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	fmt.Println("ready")
	_, _ = io.Copy(io.Discard, os.Stdin)
	server.Close()
}

// start starts a server on a directory, reached through a UNIX socket in it.
func start(dir string, change func(*embed.Config)) (*embed.Etcd, error) {
	cfg := embed.NewConfig()
	cfg.Dir = filepath.Join(dir, "data")
	cfg.ZapLoggerBuilder = embed.NewZapLoggerBuilder(zap.NewNop())
	client, peer := url.URL{Scheme: "unix", Path: socket(dir)}, url.URL{Scheme: "unix", Path: filepath.Join(dir, "p")}
	cfg.ListenClientUrls, cfg.AdvertiseClientUrls = []url.URL{client}, []url.URL{client}
	cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = []url.URL{peer}, []url.URL{peer}
	cfg.InitialCluster = cfg.InitialClusterFromName(cfg.Name)
	if change != nil {
		change(cfg)
	}
	server, err := embed.StartEtcd(cfg)
	if err != nil {
		return nil, err
	}
	select {
	case <-server.Server.ReadyNotify():
		return server, nil
	case err := <-server.Err():
		return nil, err
	case <-time.After(time.Minute):
		server.Close()
		return nil, fmt.Errorf("the server is not ready in a minute")
	}
}

func socket(dir string) string { return filepath.Join(dir, "c") }

// tempDir is short, as the path of a socket has to be.
func tempDir(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "etcd")
	require.NoError(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// fast is for tests that lose no power.
func fast(cfg *embed.Config) { cfg.UnsafeNoFsync = true }

// startServer starts a server in this process, and returns its endpoint.
func startServer(t testing.TB, change func(*embed.Config)) (endpoint string) {
	t.Helper()
	dir := tempDir(t)
	server, err := start(dir, change)
	require.NoError(t, err)
	t.Cleanup(server.Close)
	return "unix://" + socket(dir)
}

// startCluster starts three members, and returns an endpoint of each.
func startCluster(t testing.TB) (members []*embed.Etcd, endpoints []string) {
	t.Helper()
	var dirs, peers, initial []string
	for i := range 3 {
		dirs = append(dirs, tempDir(t))
		peers = append(peers, freeAddress(t)) // members do not find one another by UNIX sockets
		initial = append(initial, fmt.Sprintf("m%d=http://%s", i, peers[i]))
		endpoints = append(endpoints, "unix://"+socket(dirs[i]))
	}
	members = make([]*embed.Etcd, len(dirs))
	errs := make([]error, len(dirs))
	var wait sync.WaitGroup
	for i, dir := range dirs {
		wait.Go(func() {
			members[i], errs[i] = start(dir, func(cfg *embed.Config) {
				fast(cfg)
				cfg.Name, cfg.InitialCluster = fmt.Sprint("m", i), strings.Join(initial, ",")
				peer := []url.URL{{Scheme: "http", Host: peers[i]}}
				cfg.ListenPeerUrls, cfg.AdvertisePeerUrls = peer, peer
			})
		})
	}
	wait.Wait()
	for i, member := range members {
		require.NoError(t, errs[i])
		t.Cleanup(member.Close)
	}
	return members, endpoints
}

// freeAddress is one of the loopback, with a port that nobody has.
func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

func newClient(t testing.TB, endpoint string) *clientv3.Client {
	t.Helper()
	client, err := dial(endpoint)
	require.NoError(t, err)
	t.Cleanup(func() { client.Close() })
	return client
}

// dial takes one endpoint or several with commas between, which have their turns then.
func dial(endpoint string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: strings.Split(endpoint, ","), Logger: zap.NewNop()})
}

func newDriver(t testing.TB, client *clientv3.Client, prefix string) *etcd.Driver {
	t.Helper()
	d, err := etcd.New(client, &etcd.Options{Prefix: prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	return d
}

func newDB(t testing.TB, d store.Driver) *store.DB {
	t.Helper()
	db, err := store.New(d, nil)
	require.NoError(t, err)
	return db
}

// stores makes stores on a cluster, each handle on the next member, and knows which is of which.
type stores struct {
	endpoints []string
	made      atomic.Int64
	known     sync.Map // by store.Driver: handle
}

type handle struct {
	prefix string
	client *clientv3.Client
}

func newStores(endpoints ...string) *stores { return &stores{endpoints: endpoints} }

func (s *stores) open(t testing.TB) store.Driver {
	return s.handle(t, fmt.Sprintf("store-%d", s.made.Add(1)))
}

// handle returns another handle onto a store, with a client of its own.
func (s *stores) handle(t testing.TB, prefix string) store.Driver {
	t.Helper()
	client := newClient(t, s.endpoints[int(s.made.Add(1))%len(s.endpoints)])
	d := newDriver(t, client, prefix)
	s.known.Store(d, handle{prefix, client})
	return d
}

func (s *stores) of(t testing.TB, d store.Driver) handle {
	t.Helper()
	h, ok := s.known.Load(d)
	require.True(t, ok)
	return h.(handle)
}

func (s *stores) again(t testing.TB, d store.Driver) store.Driver {
	t.Helper()
	return s.handle(t, s.of(t, d).prefix)
}

func (s *stores) reopen(t testing.TB, d store.Driver) store.Driver {
	t.Helper()
	require.NoError(t, d.Close())
	require.NoError(t, s.of(t, d).client.Close())
	return s.again(t, d)
}

func (s *stores) harness() storetest.Harness {
	return storetest.Harness{Open: s.open, Again: s.again, Reopen: s.reopen}
}

// process is a server in a process of its own, durable, which can be killed.
type process struct {
	dir string
	cmd *exec.Cmd
}

func startProcess(t testing.TB) *process {
	t.Helper()
	p := &process{dir: tempDir(t)}
	p.start(t)
	t.Cleanup(func() { p.kill(t) })
	return p
}

func (p *process) endpoint() string { return "unix://" + socket(p.dir) }

func (p *process) start(t testing.TB) {
	t.Helper()
	_ = os.Remove(socket(p.dir)) // what was killed has left it
	_ = os.Remove(filepath.Join(p.dir, "p"))
	self, err := os.Executable()
	require.NoError(t, err)
	p.cmd = exec.Command(self)
	p.cmd.Env = append(os.Environ(), serverVariable+"="+p.dir)
	p.cmd.Stderr = os.Stderr
	_, err = p.cmd.StdinPipe()
	require.NoError(t, err)
	out, err := p.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() == "ready" {
			go io.Copy(io.Discard, out)
			return
		}
	}
	t.Fatal("the server does not start")
}

// kill is SIGKILL.
func (p *process) kill(t testing.TB) {
	t.Helper()
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait()
}
