"""What the chart of the API promises beyond single values."""

import unittest

import helm

HPA = {"autoscaling": {"enabled": True, "minReplicas": 3, "maxReplicas": 6}}


class OrdersApi(unittest.TestCase):
    def test_an_upgrade_leaves_the_number_of_pods_to_the_autoscaler(self):
        """A manifest without the number that an earlier one had makes it 1."""

        def replicas(there):
            live = [helm.find(helm.render("orders-api"), "Deployment/r-orders-api") | {"spec": {"replicas": there}}] if there is not None else []
            done = helm.beside(live, "orders-api", HPA)
            self.assertEqual(done.returncode, 0, done.stderr)
            return helm.look(helm.parse(done.stdout), "Deployment/r-orders-api spec/replicas")

        for there, expected in ((3, 3), (5, 5), (6, 6), (9, 6), (2, 3), (0, 3), (None, 3)):
            with self.subTest(there=there):
                self.assertEqual(replicas(there), expected)
        # Argo CD, for example, would bring it back to any number here all the time.
        self.assertIsNone(helm.look(helm.render("orders-api", HPA), "Deployment/r-orders-api spec/replicas"))

    def test_who_may_connect_and_who_is_believed_go_together(self):
        def answers(values):
            documents = helm.render("orders-api", values)
            return helm.look(documents, "NetworkPolicy/r-orders-api spec/ingress/[0]/from"), helm.look(documents, "Deployment/r-orders-api spec/template/spec/containers/[0]/env/[TRUST_PROXY]/value")

        ingress, peer = {"ingress": {"enabled": True}}, {"ipBlock": {"cidr": "10.9.0.0/24"}}
        sources, believed = answers(helm.merged(ingress, {"networkPolicy": {"from": [peer]}}))
        self.assertIn(peer, sources)
        self.assertEqual(believed, "1")
        # Everybody may connect, and is believed from these addresses alone.
        self.assertEqual(answers(helm.merged(ingress, {"trustProxy": "10.9.0.0/24"})), (None, "10.9.0.0/24"))
        self.assertEqual(answers({"service": {"type": "LoadBalancer"}}), (None, None))


if __name__ == "__main__":
    unittest.main()
