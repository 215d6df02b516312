//! Whose log a file is, from its path: kubelets name the folder of a pod's logs `<namespace>_<pod>_<uid>`.

use std::path::{Path, PathBuf};

/// A file that is followed, with what its path tells.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Source {
    /// Relative to the folder of logs.
    pub path: PathBuf,
    /// Absent for files that no kubelet laid out.
    pub pod: Option<Pod>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub uid: String,
    pub container: String,
}

impl Source {
    pub fn of(path: &Path) -> Self {
        Self { path: path.to_owned(), pod: pod(path) }
    }

    /// A Kubernetes namespace; empty when the path has none.
    pub fn namespace(&self) -> &str {
        self.pod.as_ref().map_or("", |pod| &pod.namespace)
    }

    /// The pod's name, or what comes nearest to one: the first folder, or the file's own name.
    pub fn name(&self) -> &str {
        match &self.pod {
            Some(pod) => &pod.name,
            None => self.path.iter().next().and_then(|name| name.to_str()).unwrap_or_default(),
        }
    }
}

/// `<namespace>_<pod>_<uid>/<container>/<restart>.log`. Neither namespaces nor names of pods can have an underscore.
fn pod(path: &Path) -> Option<Pod> {
    let names: Option<Vec<&str>> = path.iter().map(|name| name.to_str()).collect();
    let names = names?;
    let [.., folder, container, file] = names.as_slice() else { return None };
    file.strip_suffix(".log")?.parse::<u32>().ok()?;
    let mut parts = folder.split('_');
    let (namespace, name, uid) = (parts.next()?, parts.next()?, parts.next()?);
    let complete = parts.next().is_none() && ![namespace, name, uid].contains(&"");
    complete.then(|| Pod {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        uid: uid.to_owned(),
        container: (*container).to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kubelets_path_tells_namespace_pod_and_container() {
        let source = Source::of(Path::new("shop_orders-db-0_0f6f3c1e-1111/mongod/12.log"));
        let pod = source.pod.as_ref().unwrap();
        assert_eq!((pod.uid.as_str(), pod.container.as_str()), ("0f6f3c1e-1111", "mongod"));
        assert_eq!((source.namespace(), source.name()), ("shop", "orders-db-0"));
    }

    #[test]
    fn any_other_path_has_no_pod() {
        for (path, name) in [
            ("mongod.log", "mongod.log"),
            ("member-1/mongod.log", "member-1"),
            ("a_b/mongod/0.log", "a_b"),
            ("a_b_c_d/mongod/0.log", "a_b_c_d"),
            ("_b_c/mongod/0.log", "_b_c"),
            ("a_b_c/mongod/mongod.log", "a_b_c"),
        ] {
            let source = Source::of(Path::new(path));
            assert_eq!((source.pod.as_ref(), source.namespace(), source.name()), (None, "", name));
        }
    }
}
