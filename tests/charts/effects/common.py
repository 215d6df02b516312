"""What effects of several charts are made of."""

PEER = {"podSelector": {"matchLabels": {"a": "b"}}}
EGRESS = {"to": [PEER], "ports": [{"port": 9000, "protocol": "TCP"}]}
ENV = [{"name": "A", "value": "b"}]
TOLERATIONS = [{"key": "dedicated", "operator": "Exists"}]
DIGEST = "sha256:" + "a" * 64
RESOURCES = {"requests": {"cpu": "77m", "memory": "3Gi"}, "limits": {"memory": "3Gi"}}
SUBJECT = {"kind": "Group", "name": "developers", "apiGroup": "rbac.authorization.k8s.io"}


def image(path, where, name, tag, extra=None):
    extra = extra or {}
    return [
        (f"{path}.registry", "registry.example", f"{where}/image", f"registry.example/{name}:{tag}", extra),
        (f"{path}.repository", "other", f"{where}/image", f"other:{tag}", extra),
        (f"{path}.tag", "t", f"{where}/image", f"{name}:t", extra),
        (f"{path}.digest", DIGEST, f"{where}/image", f"{name}:{tag}@{DIGEST}", extra),
        (f"{path}.pullPolicy", "Always", f"{where}/imagePullPolicy", "Always", extra),
    ]
