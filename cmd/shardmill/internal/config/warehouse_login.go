package config

import (
	"fmt"
	"regexp"
	"unicode/utf8"

	"github.com/shardmill/shardmill/cmd/shardmill/internal/document"
)

// LoginKind is how a loader logs in to the database.
type LoginKind string

// The kinds of login.
const (
	LoginPassword LoginKind = "password" // with a user name and a password
	LoginSecret   LoginKind = "secret"   // with those of a secret of AWS Secrets Manager
	LoginIAM      LoginKind = "iam"      // with temporary ones that Redshift gives to the identity of the SDK's environment
	LoginDataAPI  LoginKind = "dataApi"  // by the Redshift Data API, without a connection to the database
)

func loginKinds() []string {
	return []string{string(LoginPassword), string(LoginSecret), string(LoginIAM), string(LoginDataAPI)}
}

// Login says how a loader logs in to the database.
type Login struct {
	Kind LoginKind

	Username string // with LoginPassword
	Password Secret // with LoginPassword

	// SecretARN is of the secret, {"username": …, "password": …}, with LoginSecret; with
	// LoginDataAPI "" unless that logs in by one.
	SecretARN string

	// One of these is set with LoginIAM and LoginDataAPI: the cluster, or the workgroup of
	// Redshift Serverless.
	ClusterIdentifier, Workgroup string

	DbUser string // of a cluster, with LoginIAM and LoginDataAPI; "": the user that the identity is
	Region string // of the cluster or workgroup; "": that of the SDK's environment
}

var secretARN = regexp.MustCompile(`^arn:.*:secretsmanager:[a-zA-Z0-9\-]+:\d{12}:secret:[a-zA-Z0-9\-/_+=.@!]+$`)

const longestSecretARN = 2048

// secretsManager reads SecretsManagerConfiguration, which does nothing unless Enabled is
// true.
func (l *loader) secretsManager(p document.Place) {
	on := false
	var arn document.Place
	given, ok := p.Read(document.Shape{Of: "Firehose's SecretsManagerConfiguration", Members: map[string]func(document.Place){
		"Enabled":   func(at document.Place) { on, _ = at.Boolean() },
		"RoleARN":   role,
		"SecretARN": func(at document.Place) { arn = at },
	}})
	if !ok {
		return
	}
	p.Need(given, "Enabled", "set it to true or false")
	switch {
	case !on && arn.Path != "":
		idleText(1, longestSecretARN, secretARN, "of the form arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME")(arn)
	case !on:
	case arn.Path == "":
		p.Fault("has no SecretARN; give the secret's, or set Enabled to false")
	default:
		l.warehouse.secretOn = p
		if s, ok := arn.Text(); ok {
			if !secretARN.MatchString(s) || len(s) > longestSecretARN {
				arn.Bad("it must be arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME, with an account of 12 digits")
				return
			}
			l.warehouse.config.Login.SecretARN, l.warehouse.secretARN = s, arn
		}
	}
}

// databaseUser reads Username. That a file leaves it open matters only if it is used.
func (l *loader) databaseUser(p document.Place) {
	l.warehouse.username = p
	if p.IsOpen() {
		return
	}
	l.warehouse.config.Login.Username, _ = l.bounded(p, 1, longestUsername)
}

// databasePassword reads Password, likewise.
func (l *loader) databasePassword(p document.Place) {
	w := &l.warehouse
	w.password = p
	if p.IsOpen() {
		return
	}
	secret := &w.config.Login.Password
	secret.read(p)
	switch n := utf8.RuneCountInString(secret.text); {
	case n == 0: // it is wrong, and told
	case n < shortestPassword:
		p.Fault("%s", says(fmt.Sprintf("has fewer than %d characters", shortestPassword), constraint(p, fmt.Sprintf("Member must have length greater than or equal to %d", shortestPassword))))
	case n > longestPassword:
		p.Fault("%s", says(fmt.Sprintf("has more than %d characters", longestPassword), constraint(p, fmt.Sprintf("Member must have length less than or equal to %d", longestPassword))))
	}
}

// checkLogin holds together what a file says of the login.
func (l *loader) checkLogin() {
	w := &l.warehouse
	in := &w.config.Login
	at := w.keys["login"]
	if in.Kind == "" {
		if at.Path != "" {
			return // it is wrong, and told
		}
		in.Kind = LoginPassword
		if w.secretOn.Path != "" {
			in.Kind = LoginSecret
		}
	}
	switch in.Kind {
	case LoginPassword:
		if w.secretOn.Path != "" {
			at.Bad("SecretsManagerConfiguration in line %d is enabled, and overrides it; remove one of them", w.secretOn.Line)
		}
		l.checkUser()
	case LoginSecret:
		if w.secretOn.Path == "" {
			at.Bad("give SecretsManagerConfiguration, with Enabled true and the secret's SecretARN")
		}
	case LoginIAM:
		if w.secretOn.Path != "" {
			at.Bad("SecretsManagerConfiguration in line %d is enabled, and does nothing with it; remove one of them", w.secretOn.Line)
		}
	case LoginDataAPI:
		if dbUser := w.keys["dbUser"]; dbUser.Path != "" && w.secretOn.Path != "" {
			dbUser.Bad("SecretsManagerConfiguration in line %d has the user's name; remove one of them", w.secretOn.Line)
		}
	}
	if in.Kind != LoginPassword {
		l.idlePassword()
	}
	l.checkCluster()
}

// checkUser wants a name and a password.
func (l *loader) checkUser() {
	w := &l.warehouse
	in := &w.config.Login
	switch {
	case w.username.Path == "":
		w.at.Fault("has no Username; give the database user's, or SecretsManagerConfiguration, or set shardmill.login")
	case w.username.IsOpen():
		w.username.Text() // tells what to do
	}
	file := l.documents.keys["passwordFile"]
	given := w.password.Path != "" && (!w.password.IsOpen() || file.Path == "")
	switch {
	case given && file.Path != "":
		file.Fault("is a second one, beside %s in line %d; remove one", w.password.Shown(), w.password.Line)
	case given && w.password.IsOpen():
		w.password.Fault("is not in the file; give shardmill.passwordFile, the name of a file that has it")
	case given:
	case file.Path != "":
		in.Password.File = l.documents.config.Access.Password.File
	default:
		w.at.Fault("%s", says("has no Password, which Firehose never tells of a stream that is there; give shardmill.passwordFile, the name of a file that has it, or Password", needPassword))
	}
}

// idlePassword tells of what another login does not use. A file that Firehose made has
// it all the same.
func (l *loader) idlePassword() {
	w := &l.warehouse
	why := fmt.Sprintf("the loader logs in with %s", w.config.Login.Kind)
	w.config.Login.Username, w.config.Login.Password = "", Secret{}
	for _, at := range []document.Place{w.username, w.password} {
		if at.Path != "" {
			at.NoEffect(why)
		}
	}
	if at := l.documents.keys["passwordFile"]; at.Path != "" {
		at.Fault("does nothing, as %s; remove it", why)
	}
}

// checkCluster settles which cluster, or which workgroup, gives the login.
func (l *loader) checkCluster() {
	w := &l.warehouse
	in, url := &w.config.Login, w.config.URL
	cluster, workgroup, dbUser := w.keys["clusterIdentifier"], w.keys["workgroup"], w.keys["dbUser"]
	if in.Kind == LoginPassword || in.Kind == LoginSecret {
		for _, at := range []document.Place{cluster, workgroup, dbUser} {
			if at.Path != "" {
				at.Fault("does nothing while the loader logs in with %s; set shardmill.login to iam or dataApi, or remove it", in.Kind)
			}
		}
		return
	}
	in.Region = url.Region
	switch {
	case cluster.Path != "" && workgroup.Path != "":
		workgroup.Fault("is a second one, beside %s in line %d: a database is of a cluster or of a workgroup; remove one", cluster.Shown(), cluster.Line)
	case cluster.Path == "" && workgroup.Path == "":
		in.ClusterIdentifier, in.Workgroup = url.Cluster, url.Workgroup
		if w.url.Path != "" && url.Host != "" && url.Cluster == "" && url.Workgroup == "" {
			w.keys["login"].Bad("nothing says of which cluster: ClusterJDBCURL is that of no cluster of AWS; give shardmill.clusterIdentifier, or shardmill.workgroup")
		}
	default:
		l.checkSame(cluster, in.ClusterIdentifier, url.Cluster)
		l.checkSame(workgroup, in.Workgroup, url.Workgroup)
	}
	if dbUser.Path != "" && in.Workgroup != "" {
		dbUser.Bad("Redshift Serverless takes no name: the user is the identity of the AWS SDK's environment; remove it")
	}
}

// checkSame holds a cluster, or a workgroup, that is named at a place with ClusterJDBCURL: of AWS that
// names one too, which is inURL, or one of the other kind.
func (l *loader) checkSame(at document.Place, name, inURL string) {
	url := l.warehouse.config.URL
	what := "cluster " + url.Cluster
	if url.Workgroup != "" {
		what = "workgroup " + url.Workgroup
	}
	if at.Path != "" && name != "" && (url.Cluster != "" || url.Workgroup != "") && name != inURL {
		at.Bad("ClusterJDBCURL in line %d names %s: rows must go where that says; remove this, or correct one of them", l.warehouse.url.Line, what)
	}
}
