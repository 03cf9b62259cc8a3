package transit

import (
	"crypto/tls"
	"crypto/x509"
)

// Certificates has the certificate of this side, and its key: [Files], or [Certificate].
type Certificates interface {
	// Certificate returns the one to use now. It is asked once beforehand, and then in each handshake, by many goroutines.
	Certificate() (*tls.Certificate, error)
}

// Certificate is the [Certificates] that are always the same one.
func Certificate(c tls.Certificate) Certificates { return constant{&c} }

type constant struct{ c *tls.Certificate }

func (c constant) Certificate() (*tls.Certificate, error) { return c.c, nil }

// certificate is an error when there is none: a server of crypto/tls would look elsewhere, and a client fall.
func certificate(own Certificates) (*tls.Certificate, error) {
	c, err := own.Certificate()
	if err == nil && (c == nil || len(c.Certificate) == 0) {
		err = invalid("no certificate")
	}
	return c, err
}

// Server returns the configuration of a server. Clients must have a certificate, for clients, of one of the authorities;
// nil authorities are for [Policy].SkipClientCertificates alone. The caller may add to what is returned, such as NextProtos
// or VerifyConnection; what it takes away is gone.
func Server(p Policy, own Certificates, clients *x509.CertPool) (*tls.Config, error) {
	c, err := p.config()
	switch {
	case err != nil:
		return nil, err
	case own == nil:
		return nil, invalid("server without a certificate")
	case clients == nil && !p.SkipClientCertificates:
		return nil, invalid("no authorities of the clients' certificates")
	case clients != nil && p.SkipClientCertificates:
		return nil, invalid("authorities of clients whose certificates are skipped")
	}
	if _, err := certificate(own); err != nil {
		return nil, err
	}
	c.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return certificate(own) }
	if clients != nil {
		c.ClientAuth, c.ClientCAs = tls.RequireAndVerifyClientCert, clients
		c.SessionTicketsDisabled = true
	}
	return c, nil
}

// Client returns the configuration of a client, which believes servers with a certificate of one of the authorities, or of
// those of the system when servers is nil. own is nil with [Policy].SkipClientCertificates alone. Who dials sets ServerName;
// tls.Dial and net/http do.
func Client(p Policy, own Certificates, servers *x509.CertPool) (*tls.Config, error) {
	c, err := p.config()
	if err != nil {
		return nil, err
	}
	if p.SkipClientCertificates && own != nil {
		return nil, invalid("client with a certificate that is skipped")
	}
	if !p.SkipClientCertificates && own == nil {
		return nil, invalid("client without a certificate; see SkipClientCertificates")
	}
	c.RootCAs = servers
	if own != nil {
		if _, err := certificate(own); err != nil {
			return nil, err
		}
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return certificate(own) }
	}
	return c, nil
}
