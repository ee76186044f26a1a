// An access token with golang.org/x/oauth2/jwt: the jwt-bearer grant. The library sends no jti, and sends the scope as
// a claim.
//
// The environment gives the parameters and the mistakes to make. Prints status and body.
package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/jws"
	"golang.org/x/oauth2/jwt"
)

func main() {
	key, err := os.ReadFile(os.Getenv("KEY"))
	check(err)
	config := jwt.Config{
		Email:         os.Getenv("CLIENT"),
		PrivateKey:    key,
		Subject:       os.Getenv("SUBJECT"),
		Scopes:        strings.Fields(os.Getenv("SCOPE")),
		TokenURL:      os.Getenv("URL"),
		Audience:      os.Getenv("AUDIENCE"),
		PrivateClaims: map[string]interface{}{},
	}
	if jti, ok := os.LookupEnv("JTI"); ok {
		config.PrivateClaims["jti"] = jti
	}
	// The library writes its own exp, too.
	if os.Getenv("SECOND_EXP") != "" {
		config.PrivateClaims["exp"] = time.Now().Add(5 * time.Minute).Unix()
	}
	if os.Getenv("ALG") != "" || os.Getenv("ASSERTION") != "" || os.Getenv("SHIFT") != "" {
		requestWithoutLibrary(config)
		return
	}
	token, err := config.TokenSource(context.Background()).Token()
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		fmt.Println(refused.Response.StatusCode)
		fmt.Println(string(refused.Body))
		return
	}
	check(err)
	fmt.Println(200)
	check(json.NewEncoder(os.Stdout).Encode(token))
}

// Sends what the library cannot send: another alg, times of another clock, or no JWT at all.
func requestWithoutLibrary(config jwt.Config) {
	assertion := os.Getenv("ASSERTION")
	if assertion == "" {
		block, _ := pem.Decode(config.PrivateKey)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		check(err)
		alg := os.Getenv("ALG")
		if alg == "" {
			alg = "RS256"
		}
		shift, _ := strconv.Atoi(os.Getenv("SHIFT"))
		now := time.Now().Add(time.Duration(shift) * time.Second)
		header := &jws.Header{Algorithm: alg, Typ: "JWT"}
		claims := &jws.ClaimSet{
			Iss: config.Email,
			Sub: config.Subject,
			Aud: config.TokenURL,
			Iat: now.Unix(),
			Exp: now.Add(5 * time.Minute).Unix(),
		}
		assertion, err = jws.EncodeWithSigner(header, claims, func(data []byte) ([]byte, error) {
			if alg == "RS256" {
				sum := sha256.Sum256(data)
				return rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA256, sum[:])
			}
			sum := sha512.Sum512(data)
			return rsa.SignPKCS1v15(rand.Reader, key.(*rsa.PrivateKey), crypto.SHA512, sum[:])
		})
		check(err)
	}
	response, err := http.PostForm(config.TokenURL, url.Values{
		"grant_type": {"urn:ietf:params:oauth:grant-type:jwt-bearer"},
		"assertion":  {assertion},
	})
	check(err)
	fmt.Println(response.StatusCode)
	var body interface{}
	check(json.NewDecoder(response.Body).Decode(&body))
	check(json.NewEncoder(os.Stdout).Encode(body))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
